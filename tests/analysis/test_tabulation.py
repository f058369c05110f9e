import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq.analysis import quadrature, tabulation
from tfusq.analysis.study import AnalysisError


def test_noise_that_a_batch_shares_is_refused():
  class Shared(tfusq.SR):
    """One noise for all latents."""

    def noise(self, y, seed):
      return tf.random.stateless_uniform([1] * y.shape.rank, seed, -0.5, 0.5, y.dtype)

  with pytest.raises(AnalysisError, match='draws one noise for a whole batch'):
    quadrature.law(Shared(), 0.0, 1.0)


def test_a_density_that_is_none_is_refused():
  class Wrong(tfusq.AUN):
    """Noise of another width, with the density of the first."""

    def density(self, y_tilde, y):
      return 0.8 * super().density(y_tilde, y)

  with pytest.raises(AnalysisError, match='density of Wrong integrates to between 0.8 and 0.8'):
    quadrature.law(Wrong(), 0.0, 1.0)


@pytest.mark.parametrize('scale, expected', [(4.0, 512), (0.01, 3200), (0.003, 10668)])
def test_phases_are_even_and_32_within_a_standard_deviation(scale, expected):
  assert tabulation.phase_count(512, scale) == expected


def test_quantiles_are_those_of_the_noise():
  levels = (np.arange(99) + 0.5) / 99
  uniform = tabulation.noise_quantiles(tfusq.AUN(), 99)
  np.testing.assert_allclose(uniform, levels - 0.5, atol=2e-3)
  # SGA's noise is logistic.
  logistic = tabulation.noise_quantiles(tfusq.SGA(0.5), 99, seed=1)
  exact = np.log(levels / (1 - levels))
  density = levels * (1 - levels)
  np.testing.assert_allclose(density * (logistic - exact), 0, atol=2e-3)
  assert not tabulation.noise_quantiles(tfusq.SHA(5.0), 99).any()


def test_a_table_of_integers_has_their_probabilities():
  table = tabulation.tabulate_integers(tfusq.SR(), 4)
  y = np.array([0.125, 0.375, 0.625, 0.875])
  expected = np.stack([0 * y, 1 - y, y, 0 * y], axis=1)
  np.testing.assert_allclose(table.probability, expected)
  assert table.first_unit == -1 and table.fraction.tolist() == [0]


def test_samples_and_density_give_the_same_table_of_means():
  tables = [
    tabulation.tabulate_density(tfusq.SUA(5.0), 32),
    tabulation.tabulate_samples(tabulation.sample(tfusq.SUA(5.0), 33), 64),
  ]
  means = []
  for table in tables:
    np.testing.assert_allclose(table.probability.sum(1), 1)
    units = table.first_unit + np.arange(table.probability.shape[1] // len(table.fraction))
    y_tilde = (units[:, None] + table.fraction).ravel()
    means.append(table.probability @ y_tilde)
  np.testing.assert_allclose(means[0], means[1], atol=0.01)


def test_integers_alone_are_not_rounded_off():
  near = np.full([10, 100], 3 + 1e-8)
  assert not tabulation.is_rounded_off(np.round(near)) and not tabulation.is_rounded_off(near)
  assert tabulation.is_rounded_off(np.concatenate([near, np.round(near)]))
