import numpy as np
import pytest

from tfusq import image_files
from tfusq.export import primitives
from tfusq.export.primitives import MOST_SIZES, VARIABLE


@pytest.fixture(autouse=True)
def environment(monkeypatch):
  """Environment in which the user has decided nothing, and which is as before afterwards."""
  monkeypatch.setenv(VARIABLE, '1')
  monkeypatch.delenv(VARIABLE)
  return monkeypatch


def test_many_sizes_turn_onednn_off():
  primitives.limit((64, width) for width in range(MOST_SIZES))
  primitives.limit([(64, 64)] * 10 * MOST_SIZES)
  assert primitives.remark() == ''
  primitives.limit((64, width) for width in range(MOST_SIZES + 1))
  assert primitives.remark() == ', oneDNN is off'


def test_the_users_decision_stands(environment):
  environment.setenv(VARIABLE, '1')
  primitives.limit((64, width) for width in range(2 * MOST_SIZES))
  assert primitives.remark() == ''


def test_no_more_sizes_are_read_than_it_needs():
  sizes = iter([(height, 64) for height in range(3 * MOST_SIZES)])
  primitives.limit(sizes)
  assert len(list(sizes)) == 2 * MOST_SIZES - 1


def test_sizes_are_those_of_the_files_that_can_be_read(tmp_path, exported_codec):
  image = np.zeros([20, 30, 3], np.uint8)
  paths = [tmp_path / name for name in ('a.png', 'broken.png', 'missing.png')]
  paths[0].write_bytes(image_files.encode(image, 'png'))
  paths[1].write_bytes(b'no image')
  assert list(primitives.image_sizes(paths)) == [(20, 30)]
  paths[0].write_bytes(exported_codec.compress(image))
  assert list(primitives.compressed_sizes(paths)) == [(20, 30)]
