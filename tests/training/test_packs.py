"""Patches of a pack are those of the folder, and a run goes on with either."""

import json

import numpy as np
import pytest

from making import IMAGES
from tfusq.image_files import ImageError
from tfusq.training import packing, packs, photographs, python_calls, survey
from tfusq.training.patches import Patches


@pytest.fixture(scope='module')
def pack(tmp_path_factory):
  """The embedded photographs in two shards, which no test changes."""
  path = tmp_path_factory.mktemp('packs') / 'pack'
  packing.pack(str(IMAGES / 'train'), str(path), 100_000)
  return path


@pytest.fixture
def own_pack(tmp_path):
  """One for a test to damage."""
  packing.pack(str(IMAGES / 'train'), str(tmp_path / 'pack'), 100_000)
  return tmp_path / 'pack'


def test_patches_are_those_of_the_folder(pack):
  for options in ({}, {'cache_bytes': 0}, {'cache_bytes': 10**6, 'scales': (0.5, 0.9)}):
    packed = Patches(str(pack), 64, 2, **options)
    loose = Patches(str(IMAGES / 'train'), 64, 2, **options)
    for batch, other, _ in zip(packed.dataset(1), loose.dataset(1), range(4)):
      np.testing.assert_array_equal(batch['image'], other['image'])
      np.testing.assert_array_equal(batch['index'], other['index'])


def test_the_photographs_of_a_run_are_those_of_the_folder(pack, monkeypatch):
  loose = Patches(str(IMAGES / 'train'), 64, 2).survey([])
  packed = Patches(str(pack), 64, 2)
  monkeypatch.setattr(packs.files, 'read_part', None)  # nothing is read
  monkeypatch.setattr(survey, '_for_each', None)
  seen = packed.survey([])
  assert [photograph._replace(modified=0) for photograph in loose] == seen


def settle(run, folder, is_new):
  patches = {'train': Patches(str(folder), 64, 2)}
  seen = photographs.settle(str(run), patches, is_new, False)
  seen.write(str(run), 0 if is_new else 4)
  return patches['train'], seen.fingerprint()


@pytest.mark.parametrize('is_packed_first', [True, False])
def test_a_run_goes_on_with_the_other(is_packed_first, pack, tmp_path):
  folders = [pack, IMAGES / 'train'] if is_packed_first else [IMAGES / 'train', pack]
  (tmp_path / 'operative_config-0.gin').write_text('#: photographs 4 0123\n')
  before, fingerprint = settle(tmp_path, folders[0], True)
  after, same = settle(tmp_path, folders[1], False)
  assert same == fingerprint
  for index in range(8):
    np.testing.assert_array_equal(before.patch(index), after.patch(index))


def test_a_damaged_record_is_named_when_it_is_met(own_pack):
  path = own_pack / 'photographs-00001.tfrecord'
  data = bytearray(path.read_bytes())
  data[len(data) // 4] ^= 1
  path.write_bytes(data)
  patches = Patches(str(own_pack), 64, 2, cache_bytes=0)
  patches.survey([])
  with pytest.raises(ImageError) as caught:
    for index in range(4):
      patches.patch(index)
  text = str(caught.value)
  assert text.startswith(f'{path} is damaged: raccoon.webp, at byte ') and '\n' not in text


def test_a_damaged_record_stops_a_dataset_with_its_name(own_pack):
  path = own_pack / 'photographs-00000.tfrecord'
  data = path.read_bytes()
  path.write_bytes(data[:1000] + bytes(len(data) - 1000))
  with pytest.raises(Exception, match='ImageError: .*00000.tfrecord is damaged: '):
    for _, _ in zip(Patches(str(own_pack), 64, 2, cache_bytes=0).dataset(), range(4)):
      pass
  counters = python_calls._counters()
  assert int(python_calls._read(counters.is_ending)) == 0


@pytest.mark.parametrize(
  'name, text, message',
  [
    ('photographs-00001.json', None, 'the pack lacks .*00001.json: No such file'),
    ('photographs-00001.json', '{"photographs": [{}]}', '00001.json is damaged: TypeError'),
    ('photographs-00001.json', 'no JSON', '00001.json is damaged: JSONDecodeError'),
    ('pack.json', '[]', 'pack.json is damaged: TypeError'),
    ('pack.json', '{"version": 2, "shards": 1}', 'version 2; this tfusq reads version 1'),
    ('photographs-00001.tfrecord', None, 'the pack lacks .*00001.tfrecord: No such file'),
    ('photographs-00001.tfrecord', 'short', '00001.tfrecord is damaged: it has less than the'),
    ('photographs-00001.json', '{"photographs": []}', 'tells of 4 photographs, and its shards of'),
    ('pack.json', '{"version": 1, "shards": 1, "photographs": 4}', 'of 4 photographs, and its'),
    ('pack.json', '{"version": 1, "shards": 0, "photographs": 0}', 'of 0 photographs, and its'),
    ('pack.json', '{"version": 1, "shards": -1, "photographs": 0}', 'of 0 photographs, and its'),
    ('pack.json', '{"version": 1, "shards": 2}', "pack.json is damaged: KeyError 'photographs'"),
  ],
)
def test_a_part_that_is_missing_or_damaged_is_named(name, text, message, own_pack):
  (own_pack / name).unlink()
  if text is not None:
    (own_pack / name).write_text(text)
  # Before a run begins.
  with pytest.raises(ImageError, match=message):
    Patches(str(own_pack), 64, 2)


def test_what_tells_that_a_pack_is_complete(pack):
  assert json.loads((pack / 'pack.json').read_bytes()) == {
    'version': 1,
    'shards': 2,
    'photographs': 4,
  }
