import pytest
import tensorflow as tf

from making import make_codec, make_patches
from tfusq.training import events, train
from tfusq.training.recipes import TrainingError
from tfusq.training.summaries import Record


@pytest.fixture(scope='module')
def summaries(tmp_path_factory):
  """Event files of a run with validation, by writer."""
  path = tmp_path_factory.mktemp('run')
  train.train(
    str(path),
    lambda: 'recipe',
    make_codec(),
    tf.keras.optimizers.Adam(1e-3),
    make_patches(),
    steps=4,
    interval=2,
    validation=make_patches(folder='heldout'),
    validation_batches=1,
  )
  return path


@pytest.mark.long
def test_summaries_show_the_terms_and_their_mismatch(summaries):
  found = {}
  for folder in ('train', 'validation'):
    (path,) = (summaries / folder).glob('events*')
    found[folder] = {
      value.tag
      for event in tf.compat.v1.train.summary_iterator(str(path))
      for value in event.summary.value
    }
  assert {
    'loss',
    'bpp',
    'distortion',
    'psnr',
    'gradient',
    'gradient/analysis',
    'learning_rate',
    'temperature/y/rate/SUA.alpha',
  } <= found['train']
  assert {
    'loss',
    'bpp',
    'distortion',
    'psnr',
    'soft_loss',
    'rate_mismatch',
    'distortion_mismatch',
    'original_and_reconstruction',
  } <= found['validation']


def test_summaries_that_cannot_be_written_are_one_line(tmp_path):
  (tmp_path / 'train').write_text('a file where a folder should be')
  with pytest.raises(TrainingError, match=f"can't write the summaries in {tmp_path}: ") as caught:
    Record(make_codec(), None, str(tmp_path), None)
  assert '\n' not in str(caught.value)


def test_each_interval_has_a_summary_and_a_checkpoint(summaries):
  scalars = events.read_scalars(summaries)
  assert [step for step, _ in scalars['train']['loss']] == [2, 4]
  assert [step for step, _ in scalars['validation']['psnr']] == [2, 4]
  assert {path.name for path in summaries.glob('*.index')} == {
    'ckpt-0.index',
    'ckpt-2.index',
    'ckpt-4.index',
  }
