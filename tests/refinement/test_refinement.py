import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq import config
from tfusq.quantization.estimators import Undefined
from tfusq.refinement import Refinement


def quantizer(surrogate=None, estimator=None):
  return tfusq.Quantizer(surrogate or tfusq.AUN(), estimator or tfusq.PGE())


def test_what_is_no_pair_is_refused():
  with pytest.raises(TypeError, match='Refinement.rate must be a Quantizer'):
    Refinement('SGA', quantizer())
  with pytest.raises(Undefined, match='Refinement.distortion: EP is defined for elementwise'):
    Refinement(quantizer(), quantizer(estimator=tfusq.EP()))


@pytest.mark.parametrize('learning_rate', [0, -1, np.inf, True, '0.1'])
def test_a_learning_rate_is_positive(learning_rate):
  with pytest.raises(ValueError, match='Refinement.learning_rate must be a positive number'):
    Refinement(quantizer(), quantizer(), learning_rate)


def test_a_learning_rate_may_be_a_schedule():
  refinement = Refinement(quantizer(), quantizer(), tfusq.Linear(0.0, 1000, 0.1))
  assert float(refinement.learning_rate(tf.constant(500))) == pytest.approx(0.05)
  assert float(Refinement(quantizer(), quantizer()).learning_rate(tf.constant(7))) == pytest.approx(
    0.02
  )


def test_temperatures_are_held_at_a_step_and_no_variable_changes():
  rate = quantizer(tfusq.SUA(tfusq.Linear(12.0, 1000, 2.0)))
  distortion = quantizer(tfusq.SGA(0.3))
  refinement = Refinement(rate, distortion)
  with refinement.held_at(tf.constant(300)):
    assert float(rate.temperatures()['SUA.alpha']) == pytest.approx(5.0)
    assert float(distortion.temperatures()['SGA.tau']) == pytest.approx(0.3)
    assert float(rate.surrogate.alpha.value) == 2.0
  assert float(rate.temperatures()['SUA.alpha']) == 2.0


SUA_TEMPERATURES = [2, 4, 12]


@pytest.mark.parametrize(
  'file, pair, temperatures',
  [
    ('sga', 'SGA+PGE | SGA+PGE', [0.5, 0.5, 0.1]),
    ('sua_pge', 'SUA+PGE | SUA+PGE', SUA_TEMPERATURES),
    ('sua_ep_sua_ste', 'SUA+EP | SUA+STE', SUA_TEMPERATURES),
    ('suan_pge', 'SUAn+PGE | SUAn+PGE', SUA_TEMPERATURES),
    ('sra_ep_sua_ste', 'SRA+EP | SUA+STE', SUA_TEMPERATURES),
    ('round_ste', 'Round+STE | Round+STE', None),
    ('aun', 'AUN+PGE | AUN+PGE', None),
    ('mix', 'AUN+PGE | Round+STE', None),
  ],
)
def test_the_recipes_are_what_they_say_after_any_other(file, pair, temperatures):
  # A training's own annealing is none of the refinement's.
  config.parse(
    ['quantizers/sua_ep_sua_ste.gin', f'refinements/{file}.gin'],
    ['Linear.steps = 7', 'Exponential.delay = 3'],
    [],
  )
  refinement = config.build_configurable('Refinement')
  assert refinement.describe() == pair
  for quantizer in (refinement.rate, refinement.distortion):
    names = list(quantizer.temperatures())
    assert bool(names) == (temperatures is not None)
    for name in names:
      values = []
      for step in (0, 200, 1000):
        with refinement.held_at(tf.constant(step)):
          values.append(float(quantizer.temperatures()[name]))
      np.testing.assert_allclose(values, temperatures, rtol=1e-6)
