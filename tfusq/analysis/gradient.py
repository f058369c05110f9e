"""Bias and variance of the gradient of the rate (Sec. 4.4.2, 4.4.3), and Table II."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfusq.entropy_models import gaussian_bits
from tfusq.estimators import EP, PGE, STE, Estimator
from tfusq.quantizer import Quantizer
from tfusq.surrogates import AUN, SR, SRA, SUA, Surrogate

# Forward and backward calculation, and the paper's bias and variance at each scale.
SCALES = (.3, 1.)
TABLE_II = (
    (PGE(), AUN(), 'AUN', ((0., 11.93), (0., .15))),
    (PGE(), SUA(5.), 'SUA5', ((0., 433.86), (0., 6.33))),
    (PGE(), SUA(10.), 'SUA10', ((0., 29351.05), (0., 432.30))),
    (STE(), SUA(5.), 'SUA5', ((1.36, 29.28), (.16, .36))),
    (STE(), SUA(10.), 'SUA10', ((2.10, 74.88), (.24, .92))),
    (STE(), SR(), 'SR', ((2.95, 22.30), (.33, .30))),
    (STE(), SRA(5.), 'SRA5', ((2.96, 46.19), (.33, .62))),
    (STE(), SRA(10.), 'SRA10', ((2.96, 92.58), (.33, 1.23))),
)

_CHUNK, _FOLDS = 100, 10


class AnalysisError(ValueError):
  """An argument that a simulation can't take."""


class Risk(NamedTuple):
  """Gradient estimation risk, each figure with its standard error.

  Attributes:
    bias: Mean over y of the absolute bias, in bits.
    bias_error: Its standard error.
    variance: Mean over y of the variance over the noise, in bits^2.
    variance_error: Its standard error.
  """
  bias: float
  bias_error: float
  variance: float
  variance_error: float


def risk(surrogate: Surrogate, estimator: Estimator, scale: float, points: int = 2048,
         samples: int = 8000, seed: int = 0) -> Risk:
  """Measures bias and variance of an estimator of the rate's gradient.

  The rate is `-log2 P` of a zero-mean Gaussian, y lies on a midpoint grid over [-1.5, 1.5], the
  gradient is autodiff's through the library's quantizer, and bias is against EP.

  Args:
    surrogate: The forward calculation; EP must be defined for it.
    estimator: The backward calculation.
    scale: Of the Gaussian.
    points: Of the grid.
    samples: Of the noise at each point; a multiple of 1,000.
    seed: Of the noise.

  Returns:
    The figures. The absolute bias is estimated without the upward bias of a noisy absolute value:
    each tenth of the samples gives its size, the other nine the sign.

  Raises:
    AnalysisError: if `samples` is no such multiple.
  """
  if samples < 1 or samples % (_FOLDS * _CHUNK):
    raise AnalysisError(f'samples must be a multiple of {_FOLDS * _CHUNK}, not {samples}')
  y = tf.constant(3 * (np.arange(points) + .5) / points - 1.5)
  sampled, expected = Quantizer(surrogate, estimator), Quantizer(surrogate, EP())

  def rate(v):
    return gaussian_bits(v, tf.zeros([], v.dtype), tf.constant(scale, v.dtype))

  @tf.function
  def gradient(quantizer_index, chunk_seed):
    latent = tf.tile(y[None], [_CHUNK if quantizer_index == 0 else 1, 1])
    with tf.GradientTape() as tape:
      tape.watch(latent)
      quantizer = (sampled, expected)[quantizer_index]
      bits = quantizer.evaluate(rate, latent, surrogate.noise(latent, chunk_seed))
    return tape.gradient(bits, latent)

  exact = gradient(1, tf.constant([0, 0])).numpy()[0]
  # Central moments about the exact expectation need no second pass.
  moments = np.zeros([_FOLDS, 4, points])
  for chunk in range(samples // _CHUNK):
    error = gradient(0, tf.constant([seed, chunk])).numpy() - exact
    moments[chunk % _FOLDS] += [(error**power).sum(0) for power in range(1, 5)]
  sums = moments[:, 0]
  bias = (sums * np.sign(sums.sum(0) - sums)).sum(0) / samples
  mean, square, cube, fourth = moments.sum(0) / samples
  variance = (square - mean**2) * samples / (samples - 1)
  central_fourth = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4
  return Risk(
      bias.mean(), np.sqrt((variance / samples).sum()) / points, variance.mean(),
      np.sqrt(np.maximum(central_fourth - variance**2, 0).sum() / samples) / points)


def table2(samples: int = 8000) -> Iterable[tuple[str, float, str, float, float, float]]:
  """Runs Table II.

  Args:
    samples: Of the noise at each point.

  Yields:
    Row's name, scale, 'bias' or 'variance', the paper's figure, ours, and its standard error.
  """
  cells = [(row, column) for row in TABLE_II for column in range(len(SCALES))]
  for (estimator, surrogate, name, paper), column in tqdm(cells, unit='cell'):
    ours = risk(surrogate, estimator, SCALES[column], samples=samples)
    label = f'{type(estimator).__name__} {name}'
    yield label, SCALES[column], 'bias', paper[column][0], ours.bias, ours.bias_error
    yield label, SCALES[column], 'variance', paper[column][1], ours.variance, ours.variance_error


def print_table2(samples: int) -> None:
  """Prints Table II: the paper's figures, ours with standard errors, and the difference."""
  rows = list(table2(samples))
  print(f'{"":<12}{"sigma":>6} {"":<9}{"paper":>11}{"ours":>12}{"+-":>10}{"difference":>12}')
  for name, scale, figure, paper, ours, error in rows:
    difference = f'{100 * (ours / paper - 1):+.1f} %' if paper else f'{ours - paper:+.4f}'
    print(f'{name:<12}{scale:>6} {figure:<9}{paper:>11.2f}{ours:>12.4f}{error:>10.4f}'
          f'{difference:>12}')
