"""Bias of the straight-through gradient against the size of the networks, on MNIST (Fig. 6).

Codecs with two latents are trained on digits, SR+EP | SR+STE; two are few enough to compute the
gradient of the expected distortion by enumeration.
"""

import gzip
import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm import tqdm

from tfusq.analysis import quadrature, study
from tfusq.analysis.study import AnalysisError, Effort, Study
from tfusq.curves import plot
from tfusq.entropy_models import Gaussian
from tfusq.quantization.estimators import EP, STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import SR, Surrogate

_FILE = 'train-images-idx3-ubyte'
_PIXELS = 28 * 28
_BATCH, _DIGITS = 128, 256  # in training; that the bias is measured at
_LMBDA = 1.0  # of the squared error of a digit, in bits
_COLUMNS = 4  # of the picture
_NODES = 24  # of the noise of a component, where it is continuous


def run(surrogates: Sequence[Surrogate], effort: Effort, mnist: str) -> list[Study]:
  """Measures the bias of STE's gradient of the distortion with respect to the latent.

  Args:
    surrogates: Those that give their secant, with noise of their own for each component, are
      measured on the codecs trained with SR.
    effort: How much.
    mnist: Folder with MNIST's training images.

  Returns:
    The greatest bias over digits and components, and the mean, for each size of both networks.

  Raises:
    AnalysisError: if the folder has no such file, or no surrogate can be measured.
  """
  digits = read_mnist(Path(mnist))
  measured = [surrogate for surrogate in surrogates if _enumerable(surrogate)]
  if not measured:
    raise AnalysisError(
      'the bias of STE is measured of surrogates that give their secant, with '
      'noise of their own for each component; none of these does'
    )
  sizes = (8, 16, 32, 64, 128, 256) if effort.full else (8, 32, 128)
  steps = 2_000 if effort.full else 1_000
  rows = []
  for repeat in range(2 if effort.full else 1):
    for hidden in tqdm([*itertools.product(sizes, sizes)], unit='codec'):
      codec = _Codec(*hidden, [effort.seed, repeat])
      codec.train(digits, steps)
      for surrogate in measured:
        bias, expected = codec.bias(surrogate, digits[:_DIGITS])
        rows.append(
          {
            'surrogate': study.label(surrogate),
            'analysis': hidden[0],
            'synthesis': hidden[1],
            'repeat': repeat,
            'greatest_bias': float(np.abs(bias).max()),
            'mean_bias': float(np.abs(bias).mean()),
            'mean_expected': float(np.abs(expected).mean()),
            'mse': codec.error(digits),
          }
        )
  return [Study('network', rows, _draw(rows, sizes))]


def _draw(rows: Sequence[dict], sizes: Sequence[int]) -> Figure:
  """Draws the mean over repeats for all sizes, a panel for each surrogate."""
  names = list(dict.fromkeys(row['surrogate'] for row in rows))
  columns = min(len(names), _COLUMNS)
  lines = -(-len(names) // columns)
  with matplotlib.rc_context({**plot.STYLE, 'axes.grid': False}):
    figure = Figure(figsize=(4.8 * columns + 0.8, 4.4 * lines), layout='constrained')
    for axes, name in zip(figure.subplots(lines, columns, squeeze=False).flat, names):
      biases = np.array(
        [
          [
            np.mean(
              [
                row['greatest_bias']
                for row in rows
                if (row['surrogate'], row['analysis'], row['synthesis'])
                == (name, analysis, synthesis)
              ]
            )
            for synthesis in sizes
          ]
          for analysis in sizes
        ]
      )
      shown = axes.imshow(biases, origin='lower', cmap='viridis')
      middle = (biases.max() + biases.min()) / 2
      for (row, column), bias in np.ndenumerate(biases):
        axes.text(
          column,
          row,
          f'{bias:.3g}',
          ha='center',
          va='center',
          color='black' if bias > middle else 'white',
        )
      axes.set_title(name)
      axes.set_xticks(range(len(sizes)), sizes)
      axes.set_yticks(range(len(sizes)), sizes)
      axes.set_xlabel('units in the synthesis')
      axes.set_ylabel('units in the analysis')
      figure.colorbar(shown, ax=axes, label='greatest bias of STE [squared error]')
  return figure


def read_mnist(folder: Path) -> np.ndarray:
  """Returns MNIST's training digits, `float32[60000, 784]` from 0 to 1.

  Raises:
    AnalysisError: if they are not in the folder, or not as they should be.
  """
  for path, opened in ((folder / f'{_FILE}.gz', gzip.open), (folder / _FILE, open)):
    if path.exists():
      try:
        with opened(path, 'rb') as file:
          content = file.read()
      except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AnalysisError(f'{path} is damaged: {error}') from error
      break
  else:
    raise AnalysisError(f'{folder} has no {_FILE}.gz: give the folder of MNIST by --mnist')
  if len(content) != 16 + 60_000 * _PIXELS or content[:4] != b'\0\0\x08\x03':
    raise AnalysisError(f'{path} is not the 60,000 training images of MNIST')
  return np.frombuffer(content, np.uint8, offset=16).reshape(-1, _PIXELS).astype(np.float32) / 255


def _enumerable(surrogate):
  y = tf.zeros([2, 3])
  return surrogate.has_secant() and surrogate.noise(y, tf.constant([0, 0])).shape == y.shape


class _Codec(tf.Module):
  """Perceptrons with two hidden layers to two latents and back."""

  def __init__(self, analysis, synthesis, seed):
    super().__init__()
    self._seed = seed
    self._analysis = _perceptron([_PIXELS, analysis, analysis, 2], seed)
    self._synthesis = _perceptron([2, synthesis, synthesis, _PIXELS], seed)
    self._entropy_model = Gaussian()
    self._raw = tf.Variable([[0.0, 0.0, 1.0, 1.0]])
    surrogate = SR()
    self._rate, self._distortion = Quantizer(surrogate, EP()), Quantizer(surrogate, STE())

  def _latents(self, x):
    return 4 * self._analysis(x)

  def _loss(self, x, seed):
    y = self._latents(x)
    u = self._rate.noise(y, seed)
    bits = self._rate.evaluate(
      lambda v: self._entropy_model.bits(
        v, self._entropy_model.parameters(tf.tile(self._raw, [tf.shape(v)[0], 1]))
      ),
      y,
      u,
    )
    errors = self._errors(x, self._distortion(y, u))
    return (tf.reduce_sum(bits) + _LMBDA * tf.reduce_sum(errors)) / _BATCH

  def _errors(self, x, y_tilde):
    """Squared error of each digit."""
    return tf.reduce_sum(tf.square(x - tf.sigmoid(self._synthesis(y_tilde))), -1)

  def train(self, digits, steps):
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(3e-3, steps))
    variables = self.trainable_variables
    optimizer.build(variables)
    images = tf.constant(digits)

    @tf.function(autograph=False)
    def step(seed):
      x = tf.gather(
        images, tf.random.stateless_uniform([_BATCH], seed, maxval=len(digits), dtype=tf.int32)
      )
      with tf.GradientTape() as tape:
        loss = self._loss(x, tf.random.experimental.stateless_fold_in(seed, 1))
      optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    for number in range(steps):
      step(tf.constant([1000 * self._seed[0] + self._seed[1], number]))

  def error(self, digits):
    """Mean squared error of a digit, with rounding."""
    x = tf.constant(digits[: 10 * _DIGITS])
    return float(tf.reduce_mean(self._errors(x, tf.round(self._latents(x)))))

  def bias(self, surrogate, digits):
    """Returns the bias of STE's gradient and the gradient of the expected distortion.

    Both are `float32[digits, 2]`, with respect to the latent.
    """
    x = tf.constant(digits)
    y = self._latents(x)
    places, weights = _places(surrogate, y)
    slope = _slope(surrogate.proxy, y)
    secant = surrogate.secant(y)
    estimated, exact = [], []
    for component in (0, 1):
      other = places[:, :, 1 - component]
      gradient = 0.0
      for first, weight in zip(tf.unstack(places[:, :, component]), tf.unstack(weights)):
        both = _pair(first[None], other, component)
        gradient += tf.reduce_sum(
          weight[None, :, component]
          * weights[:, :, 1 - component]
          * self._gradient(x, both)[..., component],
          0,
        )
      estimated.append(slope[:, component] * gradient)
      upper, lower = (
        tf.reduce_sum(
          weights[:, :, 1 - component]
          * self._errors(x, _pair(end[None, :, component], other, component)),
          0,
        )
        for end in (secant.upper, secant.lower)
      )
      exact.append(secant.slope[:, component] * (upper - lower))
    exact = np.stack(exact, 1)
    return np.stack(estimated, 1) - exact, exact

  def _gradient(self, x, y_tilde):
    with tf.GradientTape() as tape:
      tape.watch(y_tilde)
      errors = self._errors(x, y_tilde)
    return tape.gradient(errors, y_tilde)


def _perceptron(widths, seed):
  layers = [
    tf.keras.layers.Dense(
      width,
      None if last else 'relu',
      kernel_initializer=tf.keras.initializers.HeNormal(
        seed=10_000 * seed[0] + 100 * seed[1] + place
      ),
    )
    for place, (width, last) in enumerate(zip(widths[1:], [False] * (len(widths) - 2) + [True]))
  ]
  network = tf.keras.Sequential(layers)
  network.build([None, widths[0]])
  return network


def _places(surrogate, y):
  """Returns what `y_tilde` may be, `[places, digits, 2]`, and the probabilities."""
  if surrogate.discrete and surrogate.has_density():
    places = tf.stack([tf.floor(y) + integer for integer in (-1.0, 0.0, 1.0, 2.0)])
    return places, surrogate.density(places, y[None])
  u = tf.constant(quadrature.noise_quantiles(surrogate, _NODES), tf.float32)[:, None, None]
  places = surrogate(tf.tile(y[None], [_NODES, 1, 1]), tf.tile(u, [1, *y.shape]))
  return places, tf.ones_like(places) / _NODES


def _slope(proxy, y):
  with tf.GradientTape() as tape:
    tape.watch(y)
    soft = proxy(y)
  return tape.gradient(soft, y)


def _pair(own, other, component):
  """Stacks one component's values with the other's."""
  own = tf.broadcast_to(own, other.shape)
  return tf.stack([own, other] if component == 0 else [other, own], -1)
