import numpy as np
import pytest
import tensorflow as tf

from tfusq import STE, SUA, Linear, Quantizer, Schedule, Temperature


def test_linear_goes_from_start_to_end_and_stays():
  schedule = Linear(end=12., steps=400)
  values = [float(schedule(tf.constant(step, tf.int64))) for step in (0, 100, 400, 10**9)]
  assert values == pytest.approx([1., 3.75, 12., 12.])


def test_linear_by_epoch_is_a_staircase():
  schedule = Linear(end=12., steps=400, every=100)
  values = [float(schedule(tf.constant(step, tf.int32))) for step in (0, 99, 100, 399, 400, 999)]
  assert values == pytest.approx([1., 1., 3.75, 9.25, 12., 12.])


def test_linear_counts_steps_that_float32_cannot():
  schedule = Linear(start=0., end=1., steps=2**26)
  odd = float(schedule(tf.constant(2**25 + 2**10, tf.int64)))
  assert odd == pytest.approx(.5 + 2**-16, abs=1e-7)


@pytest.mark.parametrize('arguments', [
    {'end': 2., 'steps': 0}, {'end': 2., 'steps': 9, 'every': 0},
    {'end': float('nan'), 'steps': 3}])
def test_linear_refuses_what_is_no_way(arguments):
  with pytest.raises(ValueError):
    Linear(**arguments)


@pytest.mark.parametrize(
    'value', [0, -1., float('inf'), 'warm', None, True, Linear(end=-5., steps=9)])
def test_temperature_refuses_what_is_neither_positive_number_nor_schedule(value):
  with pytest.raises(ValueError, match='positive number or a schedule'):
    Temperature(value)


def test_quantizer_anneals_in_a_traced_step_and_a_number_stays():
  class Nested(tf.Module):
    def __init__(self):
      super().__init__()
      self.hidden = [Temperature(Linear(end=3., steps=2))]

  surrogate = SUA(Linear(end=11., steps=10))
  surrogate.extra = Nested()
  quantizer = Quantizer(surrogate, STE())
  fixed = Quantizer(SUA(5.), STE())

  @tf.function
  def step(number):
    quantizer.anneal(number)
    fixed.anneal(number)
    return surrogate.alpha(tf.float64)

  assert float(step(tf.constant(5, tf.int64))) == pytest.approx(6.)
  assert float(surrogate.extra.hidden[0](tf.float32)) == 3.
  assert float(fixed.surrogate.alpha(tf.float32)) == 5.
  assert {name: float(value) for name, value in quantizer.temperatures().items()} == (
      pytest.approx({'SUA.alpha': 6.}))


def test_a_schedule_of_ones_own_serves_wherever_a_number_does():
  class Step(Schedule):
    def __call__(self, step):
      return tf.where(step < 3, 1., 4.)

  temperature = Temperature(Step())
  temperature.anneal(tf.constant(7))
  assert np.isclose(temperature(tf.float32), 4.)
