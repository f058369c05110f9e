import pytest
import tensorflow as tf

from tfusq.training import events


def write(folder, steps, values, tag='loss'):
  writer = tf.summary.create_file_writer(str(folder))
  for step, value in zip(steps, values):
    with writer.as_default(step):
      tf.summary.scalar(tag, value)
  writer.close()


def test_scalars_are_read_by_writer_tag_and_step(tmp_path):
  write(tmp_path / 'train', [10, 20], [3.0, 2.0])
  write(tmp_path / 'train', [10], [0.5], 'bpp')
  write(tmp_path / 'validation', [20], [2.5])
  (tmp_path / 'checkpoint').write_text('')
  assert events.read_scalars(tmp_path) == {
    'train': {'loss': [(10, 3.0), (20, 2.0)], 'bpp': [(10, 0.5)]},
    'validation': {'loss': [(20, 2.5)]},
  }


def test_what_a_resumed_run_repeats_counts(tmp_path):
  write(tmp_path / 'train', [10, 20], [3.0, 9.0])
  write(tmp_path / 'train', [20, 30], [2.0, 1.0])
  assert events.read_scalars(tmp_path)['train']['loss'] == [(10, 3.0), (20, 2.0), (30, 1.0)]


def test_pictures_are_no_scalars(tmp_path):
  writer = tf.summary.create_file_writer(str(tmp_path / 'train'))
  with writer.as_default(1):
    tf.summary.image('picture', tf.zeros([1, 4, 4, 3]))
  writer.close()
  assert events.read_scalars(tmp_path) == {'train': {}}


def test_the_last_record_of_a_killed_run_is_left_out(tmp_path):
  write(tmp_path / 'train', [10, 20], [3.0, 2.0])
  (path,) = (tmp_path / 'train').iterdir()
  path.write_bytes(path.read_bytes()[:-3])
  assert events.read_scalars(tmp_path)['train']['loss'] == [(10, 3.0)]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError):
    events.read_scalars(tmp_path / 'absent')
