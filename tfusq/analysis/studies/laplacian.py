"""Rate and distortion of a scalar Laplacian source, by linear and non-linear transforms (Fig. 7).

The latent is scalar, so that every estimator, EP too, goes with both terms of the loss.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm import tqdm

from tfusq.analysis import study
from tfusq.analysis.risk import scalar_noise
from tfusq.analysis.study import Effort, Study
from tfusq.curves import plot
from tfusq.entropy_models import GaussianMixture
from tfusq.quantization.estimators import PGE, STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.rounding import quantize
from tfusq.quantization.surrogates import AUN, Round, Surrogate

TRANSFORMS = ('linear', 'residual blocks')
_BLOCKS, _HIDDEN, _BATCH = 3, 16, 256
_EVALUATED = 2**16


class Method(NamedTuple):
  """What stands in for rounding in each term of the loss."""

  name: str
  rate: Quantizer
  distortion: Quantizer


def methods(surrogates: Sequence[Surrogate]) -> list[Method]:
  """Returns each surrogate with each estimator it admits, in both terms, and MIX."""
  found = []
  for surrogate in surrogates:
    for estimator in study.estimators(surrogate):
      quantizer = Quantizer(surrogate, estimator)
      name = f'{study.label(surrogate)}+{type(estimator).__name__}'
      found.append(Method(name, quantizer, quantizer))
  return [*found, Method('MIX', Quantizer(AUN(), PGE()), Quantizer(Round(), STE()))]


def run(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Trains transforms of a Laplacian source of scale 1 with every method.

  Args:
    surrogates: Forward calculations.
    effort: How much.

  Returns:
    Rate (bits) and squared error with rounding, and the signal-to-noise ratio at that rate beyond
    which Shannon's lower bound lets none.
  """
  slopes = np.geomspace(0.6, 20, 6 if effort.full else 3)
  codecs = _Codecs(methods(surrogates), slopes, 3 if effort.full else 1, effort.seed)
  codecs.train(10_000 if effort.full else 400, effort.seed)
  rows = codecs.rows()
  return [Study('laplacian', rows, _draw(rows))]


def shannon_lower_bound(distortion: np.ndarray) -> np.ndarray:
  """Returns the rate in bits, `h(x) - log2(2 pi e D) / 2`, that a Laplacian of scale 1 needs."""
  return np.maximum(math.log2(2 * math.e) - np.log2(2 * math.pi * math.e * distortion) / 2, 0.0)


class _Transform(tf.Module):
  """Affine maps of scalars, or residual blocks between two such, one for each codec."""

  def __init__(self, count, residual, seed):
    super().__init__()
    self._affine = [
      [tf.Variable(tf.fill([count, 1, 1], start)) for start in (1.0, 0.0)] for _ in range(2)
    ]
    self._blocks = []
    for block in range(_BLOCKS):
      up, down, bias = (
        tf.random.stateless_normal(shape, [seed, 3 * block + place])
        for place, shape in enumerate(
          ([count, 1, _HIDDEN], [count, _HIDDEN, 1], [count, 1, _HIDDEN])
        )
      )
      self._blocks.append([tf.Variable(up), tf.Variable(bias), tf.Variable(0.1 * down)])
    # Linear codecs go the same way, their blocks without effect.
    self._residual = tf.constant(residual, tf.float32)[:, None, None]

  def __call__(self, x, places=slice(None)):
    (gain, shift), (last_gain, last_shift) = self._affine
    x = gain[places] * x + shift[places]
    for up, bias, down in self._blocks:
      x += self._residual[places] * (tf.nn.relu(x @ up[places] + bias[places]) @ down[places])
    return last_gain[places] * x + last_shift[places]


class _Codecs(tf.Module):
  """Every method with both transforms at every slope, trained side by side."""

  def __init__(self, methods, slopes, repeats, seed):
    super().__init__()
    self._methods = methods
    self._each = list(itertools.product(TRANSFORMS, slopes, range(repeats)))
    self._repeats = repeats
    count = len(methods) * len(self._each)
    residual = [transform != TRANSFORMS[0] for transform, _, _ in self._each] * len(methods)
    self._slope = tf.constant([slope for _, slope, _ in self._each], tf.float32)[:, None, None]
    self._analysis = _Transform(count, residual, seed)
    self._synthesis = _Transform(count, residual, seed + 1)
    self._entropy_model = GaussianMixture(bound=0.01)
    spread = [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    self._raw = tf.Variable(tf.tile(tf.constant(spread)[None, None], [count, 1, 1]))

  def _bits(self, y, places):
    raw = tf.tile(self._raw[places], [1, tf.shape(y)[1], 1])
    return self._entropy_model.bits(y, self._entropy_model.parameters(raw))

  def _places(self):
    """Returns each method with the part of the first axis that is its own."""
    return [
      (method, slice(number * len(self._each), (number + 1) * len(self._each)))
      for number, method in enumerate(self._methods)
    ]

  def _loss(self, x, seed):
    y = self._analysis(x)
    total = 0.0
    for method, places in self._places():
      own, source = y[places], x[places]

      def error(v, source=source, places=places):
        return tf.square(source - self._synthesis(v, places))

      u = scalar_noise(method.rate.surrogate, own, seed)
      bits = method.rate.evaluate(lambda v, places=places: self._bits(v, places), own, u)
      if method.rate is not method.distortion:
        u = scalar_noise(method.distortion.surrogate, own, seed)
      errors = method.distortion.evaluate(error, own, u)
      total += tf.reduce_sum(tf.reduce_mean(bits + self._slope * errors, 1))
    return total

  def train(self, steps, seed):
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(1e-2, steps))
    optimizer.build(self.trainable_variables)

    @tf.function(autograph=False)
    def step(seed):
      x = self._source(_BATCH, seed)
      with tf.GradientTape() as tape:
        loss = self._loss(x, tf.random.experimental.stateless_fold_in(seed, 1))
      variables = self.trainable_variables
      gradients = tape.gradient(loss, variables)
      # One codec's bad step must not be another's.
      gradients = [
        tf.clip_by_norm(each, 10.0, axes=list(range(1, each.shape.rank))) for each in gradients
      ]
      optimizer.apply_gradients(zip(gradients, variables))

    for number in tqdm(range(steps), desc='laplacian', unit='step'):
      step(tf.constant([seed, number]))

  def _source(self, count, seed):
    u = tf.random.stateless_uniform([len(self._each), count, 1], seed, -1 + 1e-6, 1 - 1e-6)
    # All methods see the same source.
    return tf.tile(-tf.sign(u) * tf.math.log1p(-tf.abs(u)), [len(self._methods), 1, 1])

  def rows(self):
    """Measures rate and squared error with rounding, at quantiles of the source."""
    u = 2 * (np.arange(_EVALUATED) + 0.5) / _EVALUATED - 1
    x = tf.constant(-np.sign(u) * np.log1p(-np.abs(u)), tf.float32)[None, :, None]
    rows = []
    for method, places in self._places():
      _, y_hat = quantize(self._analysis(tf.tile(x, [len(self._each), 1, 1]), places))
      bits = tf.reduce_mean(self._bits(y_hat, places), [1, 2]).numpy()
      error = tf.reduce_mean(tf.square(x - self._synthesis(y_hat, places)), [1, 2]).numpy()
      for (transform, slope, repeat), rate, distortion in zip(self._each, bits, error):
        rows.append(
          {
            'method': method.name,
            'transform': transform,
            'slope': float(slope),
            'repeat': repeat,
            'rate': float(rate),
            'distortion': float(distortion),
            'snr': float(_decibels(distortion)),
            'beyond_bound': float(rate - shannon_lower_bound(distortion)),
            'cost': float(rate + slope * distortion),
          }
        )
    return rows


def _draw(rows):
  names = list(dict.fromkeys(row['method'] for row in rows))
  distortion = np.geomspace(0.02, 2, 100)
  bound = shannon_lower_bound(distortion)
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(13, 9), layout='constrained')
    panels = figure.subplots(2, 2, sharex=True, sharey='row')
    for transform, (upper, lower) in zip(TRANSFORMS, panels.T):
      for place, name in enumerate(names):
        own = [row for row in rows if (row['method'], row['transform']) == (name, transform)]
        for axes, key in ((upper, 'snr'), (lower, 'beyond_bound')):
          axes.plot(
            [row['rate'] for row in own],
            [row[key] for row in own],
            linestyle='',
            marker=plot.marker(place),
            color=f'C{place % 10}',
          )
          axes.plot(*_means(own, key), color=f'C{place % 10}', label=name)
      upper.plot(
        bound, _decibels(distortion), color='black', linestyle='--', label="Shannon's lower bound"
      )
      upper.set_title(transform)
      lower.set_xlabel('rate [bits]')
    panels[0, 0].set_ylabel('signal-to-noise ratio [dB]')
    panels[1, 0].set_ylabel("rate beyond Shannon's lower bound [bits]")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc='outside right upper')
  return figure


def _means(rows, key):
  """Returns rates and a figure: means over what was repeated, by slope."""
  slopes = sorted({row['slope'] for row in rows})
  return zip(
    *(
      [np.mean([row[each] for row in rows if row['slope'] == slope]) for each in ('rate', key)]
      for slope in slopes
    )
  )


def _decibels(distortion):
  return -10 * np.log10(distortion / 2)  # a Laplacian's variance is 2
