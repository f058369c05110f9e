import errno
import os

import pytest
import tensorflow as tf

from tfusq.training import checkpoints
from tfusq.training.checkpoints import Checkpoints
from tfusq.training.recipes import TrainingError

# Names that are legal, of which some are patterns to TensorFlow.
NAMES = ['q[1]', 'a*b', 'a?b', 'a\\b', '[!a]', "a'b", 'größe', ' x ', '-x', '{x}', 'a%b', '$HOME']


@pytest.fixture(params=NAMES)
def folder(request, tmp_path):
  """A folder of an unusual name, beside others that its name matches as a pattern."""
  for neighbour in ('q1', 'aXb', 'b', 'ab'):
    (tmp_path / neighbour).mkdir()
    save(tmp_path / neighbour, 1)
  return tmp_path / request.param


def make():
  """A checkpoint with a counter."""
  return tf.train.Checkpoint(counter=tf.Variable(0))


def save(folder, *steps):
  """Saves checkpoints that hold their steps."""
  checkpoint = make()
  saver = Checkpoints(checkpoint, str(folder))
  for step in steps:
    checkpoint.counter.assign(step)
    saver.save(step)


def cut(path):
  path.write_bytes(path.read_bytes()[:-3])


def test_the_newest_three_are_kept_and_neighbours_are_not_touched(folder):
  save(folder, 0, 2, 4, 6, 8)
  assert checkpoints.steps(folder) == [4, 6, 8]
  assert checkpoints.newest_whole(str(folder)) == checkpoints.newest(str(folder)) == 8
  names = [f'ckpt-{step}.{kind}' for step in (4, 6, 8) for kind in ('data-00000-of-00001', 'index')]
  assert sorted(os.listdir(folder)) == ['checkpoint', *names]
  for neighbour in ('q1', 'aXb', 'b', 'ab'):
    assert checkpoints.steps(folder.parent / neighbour) == [1]


def test_tensorflow_finds_the_newest_by_its_own_file(tmp_path):
  save(tmp_path, 2, 4)
  assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / 'ckpt-4')
  state = tf.train.get_checkpoint_state(str(tmp_path))
  assert list(state.all_model_checkpoint_paths) == [str(tmp_path / f'ckpt-{n}') for n in (2, 4)]


def test_a_checkpoint_has_what_tensorflows_manager_writes(tmp_path):
  save(tmp_path / 'ours', 0, 2)
  checkpoint = make()
  manager = tf.train.CheckpointManager(checkpoint, str(tmp_path / 'theirs'), max_to_keep=3)
  for step in (0, 2):
    checkpoint.counter.assign(step)
    manager.save(step)
  for name in ('ckpt-2.index', 'ckpt-2.data-00000-of-00001'):
    assert (tmp_path / 'ours' / name).read_bytes() == (tmp_path / 'theirs' / name).read_bytes()


@pytest.mark.parametrize(
  'state, step',
  [
    (None, 4),
    ('', 4),
    ('\0\0\0', 4),
    ('model_checkpoint_path: "ckpt-99"', 4),
    ('model_checkpoint_path: "ckpt-2"', 2),
    ('model_checkpoint_path: "/before/it/was/moved/ckpt-2"\n', 2),
  ],
)
def test_what_the_file_names_counts_and_else_the_last(state, step, tmp_path):
  save(tmp_path, 0, 2, 4)
  (tmp_path / 'checkpoint').unlink()
  if state is not None:
    (tmp_path / 'checkpoint').write_text(state)
  assert checkpoints.newest(str(tmp_path)) == checkpoints.newest_whole(str(tmp_path)) == step


@pytest.mark.parametrize('kind', ['index', 'data-00000-of-00001'])
def test_a_damaged_checkpoint_is_passed_over(kind, tmp_path):
  save(tmp_path, 0, 2, 4)
  cut(tmp_path / f'ckpt-4.{kind}')
  assert checkpoints.newest_whole(str(tmp_path)) == 2
  (tmp_path / f'ckpt-2.{kind}').write_bytes(b'')
  assert checkpoints.newest_whole(str(tmp_path)) == 0
  cut(tmp_path / f'ckpt-0.{kind}')
  with pytest.raises(TrainingError, match=r'no checkpoint .* is whole \(ckpt-4, ckpt-2, ckpt-0\)'):
    checkpoints.newest_whole(str(tmp_path))


def test_an_interrupted_write_counts_for_nothing(tmp_path):
  save(tmp_path, 2, 4)
  (tmp_path / 'ckpt-4.index').unlink()
  (tmp_path / 'ckpt-6_temp').mkdir()
  assert checkpoints.newest_whole(str(tmp_path)) == 2


def test_a_folder_without_checkpoints_has_no_newest(tmp_path):
  assert checkpoints.newest_whole(str(tmp_path)) is None
  assert checkpoints.newest_whole(str(tmp_path / 'absent')) is None


def test_going_on_from_an_older_one_keeps_the_later_until_they_are_passed(tmp_path):
  save(tmp_path, 0, 2, 4, 6)
  save(tmp_path, 4)
  assert checkpoints.steps(tmp_path) == [2, 4, 6] and checkpoints.newest(str(tmp_path)) == 4


@pytest.mark.parametrize('name', ['', 'a\nb', 'a\udcffb', 'a\u2028b'])
def test_a_name_that_no_run_can_have_is_refused_in_one_line(name):
  with pytest.raises(TrainingError, match='must have a name in UTF-8') as caught:
    checkpoints.newest(name)
  assert str(caught.value).isprintable()


def full(*args, **kwargs):
  """Fails as TensorFlow does on a full disk."""
  raise tf.errors.ResourceExhaustedError(
    None, None, '/runs/ckpt-4.data-00000-of-00001.tempstate123; No space left on device'
  )


def full_of_the_system(*args, **kwargs):
  raise OSError(errno.ENOSPC, 'No space left on device')


@pytest.mark.parametrize('write', [full, full_of_the_system])
def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(write, tmp_path, monkeypatch):
  save(tmp_path, 2)
  checkpoint = make()
  saver = Checkpoints(checkpoint, str(tmp_path))
  monkeypatch.setattr(checkpoint, 'write', write)
  (tmp_path / 'ckpt-4_temp').mkdir()
  (tmp_path / 'ckpt-4.data-00000-of-00001').write_bytes(b'half')
  with pytest.raises(TrainingError) as caught:
    saver.save(4)
  assert str(caught.value) == (
    f"can't write {tmp_path / 'ckpt-4'}: No space left on device; the last good one is ckpt-2"
  )
  assert checkpoints.newest_whole(str(tmp_path)) == 2
  assert not list(tmp_path.glob('ckpt-4*'))
