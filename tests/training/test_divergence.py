import numpy as np
import pytest
import tensorflow as tf

from tfusq.training.divergence import FACTOR, STEPS, Diverged, Divergence


def after(losses, rate=1.0):
  """The watch after steps of losses, of which the rate has a part."""
  divergence = Divergence()
  note = tf.function(divergence.note)
  for step, loss in enumerate(np.asarray(losses, np.float32)):
    terms = [tf.constant(part * loss, tf.float32) for part in (1.0, rate, 1 - rate)]
    note(*terms, tf.constant(step, tf.int64))
  return divergence


ONES = [1.0] * 60
HIGH = FACTOR * 1.01


@pytest.mark.parametrize('rate, term', [(0.9, 'rate'), (0.1, 'distortion')])
def test_a_loss_far_above_its_lowest_is_noted_with_step_and_term(rate, term):
  divergence = after([*ONES, *[1e9] * STEPS, 1e9, 1.0], rate)
  message = f'20 times its lowest, 1, for the 50 steps before step 110, most of it the {term}$'
  with pytest.raises(Diverged, match=message) as caught:
    divergence.require_none()
  assert caught.value.step == 60


@pytest.mark.parametrize(
  'losses',
  [
    [*ONES, *[HIGH] * (STEPS - 1)],
    [*ONES, *[HIGH] * (STEPS - 1), 1.0, *[HIGH] * (STEPS - 1)],
    [*ONES, *[FACTOR * 0.99] * 200],
    [1e-6, *ONES, 1e-6, *ONES],  # a batch that costs nothing is not its lowest
    [1e6] * 40 + ONES,  # a start from noise
  ],
  ids=['too short', 'interrupted', 'too low', 'one easy batch', 'from noise'],
)
def test_other_losses_are_none(losses):
  after(losses).require_none()
