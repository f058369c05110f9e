import numpy as np
import pytest
import tensorflow as tf

import tfusq
import tfusq.testing
from tfusq.analysis import study
from tfusq.analysis.studies import rate
from tfusq.analysis.study import Effort
from tfusq_kumaraswamy import Kumaraswamy


@tfusq.testing.conformance(
  Kumaraswamy(5.0, 1.5), Kumaraswamy(3.0, tfusq.Linear(1.0, 100, start=2.0))
)
def test_conformance(check):
  check()


@pytest.mark.parametrize('a', [1.0, 1.3, 2.0])
def test_noise_has_the_distribution_and_its_mode_in_the_middle(a):
  k = np.sort(Kumaraswamy(5.0, a).noise(tf.zeros([200_000]), [1, 2]).numpy()) + 0.5
  b = (2**a * (a - 1) + 1) / a
  cdf = 1 - (1 - k**a) ** b
  uniform = (np.arange(k.size) + 0.5) / k.size
  assert np.abs(cdf - uniform).max() < 1.95 / np.sqrt(k.size)  # Kolmogorov-Smirnov, p = 0.001
  if a > 1:
    assert ((a - 1) / (a * b - 1)) ** (1 / a) == pytest.approx(0.5)  # the mode of the law


def test_uniform_noise_is_sua():
  y = tf.constant([[0.3, -1.2, 2.5]])
  u = Kumaraswamy(5.0, 1.0).noise(y, [1, 2])
  np.testing.assert_allclose(Kumaraswamy(5.0, 1.0)(y, u), tfusq.SUA(5.0)(y, u))


def test_expected_gradient_is_refused_and_others_are_not():
  with pytest.raises(tfusq.Undefined, match='PGE or STE'):
    tfusq.Quantizer(Kumaraswamy(5.0, 2.0), tfusq.EP())
  tfusq.Quantizer(Kumaraswamy(5.0, 2.0), tfusq.PGE())


def test_a_shape_below_that_of_uniform_noise_is_refused():
  with pytest.raises(ValueError, match='a must be at least 1, not 0.5'):
    Kumaraswamy(5.0, 0.5)
  _, shape = study.annealed([Kumaraswamy(5.0, 2.0)], 5)  # for studies over temperatures
  assert shape.name == 'Kumaraswamy.a' and min(shape.temperatures) >= 1


def test_it_is_analyzed_by_its_name(monkeypatch):
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.3, 1.0])
  names = ['Kumaraswamy(alpha=5, a=1)', 'Kumaraswamy(alpha=5, a=2)', 'SUA(alpha=5)']
  found = {name: [] for name in names}
  for row in rate.of_scalars(study.surrogates(names), Effort()).rows:
    found[row['surrogate']].append(row['estimated'])
  uniform, peaked, sua = found.values()
  # SUA is integrated by its density, which is not that of a subclass with noise of its own.
  assert uniform == pytest.approx(sua, abs=2e-3)
  assert np.abs(np.subtract(peaked, sua)).max() > 0.01
