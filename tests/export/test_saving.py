import errno
import os
import resource

import pytest
import tensorflow as tf

from tfusq import files
from tfusq.export import saving
from tfusq.export.bitstream import ExportError

MARKER = 'marker'
# Larger than the files that tests limit.
SIZE = 100_000


class Sum(tf.Module):
  """A module with a variable and a function."""

  def __init__(self):
    super().__init__()
    self.variable = tf.Variable(tf.range(SIZE, dtype=tf.float32))
    self.plus = tf.function(lambda x: x + self.variable[1], [tf.TensorSpec([])])


@pytest.fixture(scope='module')
def module():
  return Sum()


def save(module, path, force=False):
  with saving.new_saved_model(path, module, {'plus': module.plus}, MARKER, force) as draft:
    (draft / MARKER).touch()


def assert_loads(path):
  with files.literal(path) as folder:
    assert tf.saved_model.load(folder).plus(2.0) == 3


@pytest.mark.parametrize(
  'name',
  [
    'c[1]',
    'c*',
    'c?',
    '{a,b}',
    'back\\slash',
    'two words',
    'two\nlines',
    '-dash',
    os.fsdecode(b'\xff\xfe'),
    '日本語',
    'x' * 200,
    'y' * 255,
    'trailing/',
    'more/folders',
  ],
)
def test_a_folder_has_any_name(name, module, tmp_path, monkeypatch):
  # A neighbour that patterns match, and that TensorFlow can't load.
  (tmp_path / 'c1').mkdir()
  monkeypatch.chdir(tmp_path)
  save(module, name)
  save(module, name, force=True)
  assert_loads(name)
  assert sorted(os.listdir()) == sorted(['c1', name.split('/')[0]])
  assert not os.listdir('c1')


def test_the_folder_that_one_is_in_is_replaced(module, tmp_path, monkeypatch):
  save(module, tmp_path / 'new')
  monkeypatch.chdir(tmp_path / 'new')
  save(module, '.', force=True)
  assert_loads(tmp_path / 'new')


def limited_to(size):
  """Returns a function that saves while no file may become larger."""

  def save_limited(module, path, force=False):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
      save(module, path, force)
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, before)

  return save_limited


@pytest.mark.parametrize('size', [2_000, 50_000])
def test_what_does_not_fit_is_one_line_and_leaves_nothing(size, module, tmp_path):
  save(module, tmp_path / 'old')
  for name, force in (('new', False), ('old', True)):
    with pytest.raises(ExportError) as error:
      limited_to(size)(module, tmp_path / name, force)
    assert str(error.value) == f'{tmp_path / name} can not be written: File too large'
  assert os.listdir(tmp_path) == ['old']
  assert_loads(tmp_path / 'old')


@pytest.mark.parametrize(
  'failure, reason',
  [
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'draft'), 'No space left on device'),
    (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), 'Disk quota exceeded'),
    (OSError(errno.EROFS, os.strerror(errno.EROFS)), 'Read-only file system'),
    (
      tf.errors.ResourceExhaustedError(None, None, 'draft/x; No space\nleft [Op:SaveV2]'),
      'No space left',
    ),
    (tf.errors.PermissionDeniedError(None, None, 'draft; Permission denied'), 'Permission denied'),
    (tf.errors.InternalError(None, None, 'x ' * 5000), 'x ' * 99 + 'x '),
  ],
)
def test_a_failure_to_write_names_the_folder_and_the_reason(
  failure, reason, module, tmp_path, monkeypatch
):
  def fails(*_):
    raise failure

  monkeypatch.setattr(tf.saved_model, 'save', fails)
  with pytest.raises(ExportError) as error:
    save(module, tmp_path / 'new')
  assert str(error.value) == f'{tmp_path / "new"} can not be written: {reason}'
  assert not os.listdir(tmp_path)


def test_a_folder_below_a_file_or_in_no_file_system_is_refused(module, tmp_path):
  (tmp_path / 'file').write_text('mine')
  for path, reason in (
    (tmp_path / 'file' / 'new', 'Not a directory'),
    ('/proc/new', 'No such file or directory'),
  ):
    with pytest.raises(ExportError, match=f'{path} can not be written: {reason}'):
      save(module, path)
  assert (tmp_path / 'file').read_text() == 'mine' and os.listdir(tmp_path) == ['file']
