import tensorflow as tf

from tfusq.training.learning_rate import PiecewiseConstantDecay


def test_it_is_keras_schedule_at_every_step():
  arguments = [3, 5], [1e-3, 3e-4, 1e-4]
  keras = tf.keras.optimizers.schedules.PiecewiseConstantDecay(*arguments)
  ours = PiecewiseConstantDecay(*arguments)
  for step in range(8):
    step = tf.Variable(step, dtype=tf.int64)
    assert ours(step) == keras(step)
  assert ours.get_config() == keras.get_config()
