import numpy as np
import pytest
import tensorflow as tf

from tfusq.training.averages import MovingAverages


def test_averages_are_those_of_the_formula_and_are_exchanged():
  variable = tf.Variable([1.0, 2.0])
  averages = MovingAverages([variable], 0.5)
  expected = np.array([1.0, 2.0])
  for step in range(12):
    variable.assign([3.0 * step, -step])
    averages.update(tf.constant(step, tf.int64))
    decay = min(0.5, (1 + step) / (10 + step))
    expected = decay * expected + (1 - decay) * variable.numpy()

  with averages.in_force():
    np.testing.assert_allclose(variable, expected, rtol=1e-6)
    np.testing.assert_array_equal(averages.others[0], [33.0, -11.0])
  np.testing.assert_array_equal(variable, [33.0, -11.0])
  np.testing.assert_allclose(averages.others[0], expected, rtol=1e-6)


@pytest.mark.parametrize('decay', [-0.1, 1.0, 1.5])
def test_a_decay_out_of_range_is_refused(decay):
  with pytest.raises(ValueError, match='train.average_decay must be at least 0 and less than 1'):
    MovingAverages([], decay)
