import numpy as np
import pytest
import tensorflow as tf

from tfusq import (
  AUN,
  SGA,
  SRA,
  STE,
  SUA,
  Linear,
  Piecewise,
  Quantizer,
  Schedule,
  Temperature,
)
from tfusq.quantization.temperature import describe, instances, temperature_parameters


def test_a_schedule_that_is_not_positive_in_the_middle_is_refused():
  with pytest.raises(ValueError, match='-1 at step 16'):
    Temperature(Piecewise([10, 20], [1.0, -1.0, 2.0]))


def test_annealing_brings_back_what_weights_of_another_temperature_changed():
  temperature = Temperature(12.0)
  before = Quantizer(SUA(12.0), STE()).temperatures()['SUA.alpha']
  temperature.value.assign(8.0)
  temperature.anneal(tf.constant(3))
  assert float(temperature(tf.float32)) == 12.0 == float(before)


def test_what_temperatures_were_does_not_change_with_them():
  quantizer = Quantizer(SUA(Linear(end=12.0, steps=10)), STE())
  before = quantizer.temperatures()['SUA.alpha']
  quantizer.anneal(tf.constant(10))
  assert float(before) == 1.0 and float(quantizer.temperatures()['SUA.alpha']) == 12.0


@pytest.mark.parametrize(
  'value', [0, -1.0, float('inf'), 1e-50, 1e39, 'warm', None, True, Linear(end=-5.0, steps=9)]
)
def test_temperature_refuses_what_is_neither_positive_number_nor_schedule(value):
  with pytest.raises(ValueError, match='positive number or a schedule'):
    Temperature(value)


def test_quantizer_anneals_in_a_traced_step_and_a_number_stays():
  class Nested(tf.Module):
    def __init__(self):
      super().__init__()
      self.hidden = [Temperature(Linear(end=3.0, steps=2))]

  surrogate = SUA(Linear(end=11.0, steps=10))
  surrogate.extra = Nested()
  quantizer = Quantizer(surrogate, STE())
  fixed = Quantizer(SUA(5.0), STE())

  @tf.function
  def step(number):
    quantizer.anneal(number)
    fixed.anneal(number)
    return surrogate.alpha(tf.float64)

  assert float(step(tf.constant(5, tf.int64))) == pytest.approx(6.0)
  assert float(surrogate.extra.hidden[0](tf.float32)) == 3.0
  assert float(fixed.surrogate.alpha(tf.float32)) == 5.0
  assert {name: float(value) for name, value in quantizer.temperatures().items()} == (
    pytest.approx({'SUA.alpha': 6.0})
  )


def test_a_schedule_of_ones_own_serves_wherever_a_number_does():
  class Step(Schedule):
    def __call__(self, step):
      return tf.where(step < 3, 1.0, 4.0)

  temperature = Temperature(Step())
  temperature.anneal(tf.constant(7))
  assert np.isclose(temperature(tf.float32), 4.0)


def test_temperatures_are_found_by_their_annotation():
  assert temperature_parameters(SUA) == ['alpha']
  assert temperature_parameters(SGA) == ['tau']
  assert temperature_parameters(AUN) == []
  assert len(instances(SRA)) == 2


def test_typical_temperatures_may_be_given_by_name():
  class Two(SUA):
    typical_temperatures = {'alpha': (1.0, 3.0), 'width': (0.5, 0.25)}

    def __init__(self, alpha: float | Schedule, width: float | Schedule):
      super().__init__(alpha)
      self.width = width

  assert [(float(two.alpha(tf.float32)), two.width) for two in instances(Two)] == [
    (1.0, 0.5),
    (3.0, 0.25),
  ]
  bound = instances(Two, ['alpha'], lambda **values: Two(alpha=9.0, **values))
  assert [(float(two.alpha(tf.float32)), two.width) for two in bound] == [(9.0, 0.5), (9.0, 0.25)]


def test_typical_arguments_join_typical_temperatures():
  class Sized(SUA):
    typical_arguments = {'size': 3}

    def __init__(self, alpha: float | Schedule, size: int):
      super().__init__(alpha)
      self.size = size

  assert [describe(sized) for sized in instances(Sized)] == [
    'Sized(alpha = 0.5)',
    'Sized(alpha = 5)',
  ]
  (bound,) = instances(Sized, ['alpha', 'size'], lambda: Sized(2.0, 7))
  assert bound.size == 7


def test_missing_arguments_are_named_with_what_to_bind():
  class Warmup(Schedule):
    def __init__(self, peak: float, steps: int, rest: float = 1.0):
      super().__init__()
      self.peak, self.steps, self.rest = peak, steps, rest

    def __call__(self, step):
      return tf.where(step < self.steps, self.peak, self.rest)

  with pytest.raises(TypeError, match=r'\(peak, steps\).*Warmup.peak = \.\.\.'):
    instances(Warmup)

  def build(**values):
    return Warmup(peak=3.0, **values)

  with pytest.raises(TypeError, match=r'\(steps\).*Warmup.steps = \.\.\.'):
    instances(Warmup, ['peak'], build)

  Warmup.typical_arguments = {'peak': 2.0, 'steps': 10}
  (by_typical_arguments,) = instances(Warmup)
  assert (by_typical_arguments.peak, by_typical_arguments.steps) == (2.0, 10)
  (by_both,) = instances(Warmup, ['peak'], build)
  assert (by_both.peak, by_both.steps) == (3.0, 10)
