import numpy as np
import pytest
import tensorflow as tf

from tfusq.training.learning_rate import CosineDecay, PiecewiseConstantDecay, Since


def test_it_is_keras_schedule_at_every_step():
  arguments = [3, 5], [1e-3, 3e-4, 1e-4]
  keras = tf.keras.optimizers.schedules.PiecewiseConstantDecay(*arguments)
  ours = PiecewiseConstantDecay(*arguments)
  for step in range(8):
    step = tf.Variable(step, dtype=tf.int64)
    assert ours(step) == keras(step)
  assert ours.get_config() == keras.get_config()


@pytest.mark.parametrize(
  'arguments',
  [
    {'initial_learning_rate': 1e-3, 'decay_steps': 20},
    {'initial_learning_rate': 1e-3, 'decay_steps': 20, 'alpha': 0.1},
    {'initial_learning_rate': 1e-5, 'decay_steps': 20, 'warmup_target': 1e-3, 'warmup_steps': 5},
  ],
)
def test_the_cosine_is_that_of_keras(arguments):
  keras = tf.keras.optimizers.schedules.CosineDecay(**arguments)
  ours = CosineDecay(**arguments)
  for step in range(30):
    step = tf.constant(step, tf.int64)
    np.testing.assert_allclose(ours(step), keras(step), rtol=1e-4, atol=1e-10)


def test_a_schedule_may_begin_at_a_later_step():
  schedule = CosineDecay(1e-3, 20)
  later = Since(schedule, 100)
  for step in (0, 7, 20):
    assert later(tf.constant(100 + step, tf.int64)) == schedule(tf.constant(step, tf.int64))
  assert later.get_config() == {'schedule': schedule, 'start': 100}
