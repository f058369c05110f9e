"""Bias of the straight-through gradient for networks of different sizes (Sec. 4.4.2, Fig. 6).

Codecs with two latent components are trained on MNIST, with SR+EP for the rate and SR+STE for the
distortion; see `tfusq.analysis.studies.digit_codec`.
"""

import gzip
import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfusq import progress
from tfusq.analysis import study
from tfusq.analysis.studies.digit_codec import PIXELS, DigitCodec
from tfusq.analysis.study import AnalysisError, Effort, Study
from tfusq.curves import plot
from tfusq.quantization.base import Surrogate

_FILE = 'train-images-idx3-ubyte'
_DIGITS = 60_000
_HEADER_BYTES = 16

# Digits that the bias is measured at.
_BIAS_DIGITS = 256
_COLUMNS = 4  # of the picture


def measure(surrogates: Sequence[Surrogate], effort: Effort, mnist: str) -> list[Study]:
  """Measures the bias of STE's gradient of the distortion with respect to the latent.

  Args:
    surrogates: Forward calculations of the measurement, on codecs that were trained with SR. Those
      that have no secant, or share noise between components, are left out.
    effort: Extent of the study, and its seed.
    mnist: Folder with MNIST's training images.

  Returns:
    A study with a row for each surrogate and size of both networks: the greatest bias and the mean
    bias over digits and components.

  Raises:
    AnalysisError: if the images are missing or damaged, or no surrogate can be measured.
  """
  digits = read_mnist(Path(mnist))
  measured = [surrogate for surrogate in surrogates if _enumerable(surrogate)]
  if not measured:
    raise AnalysisError(
      'the bias of STE is measured for surrogates that have a secant and noise of their own for '
      'each component; none of these does'
    )
  sizes = (8, 16, 32, 64, 128, 256) if effort.full else (8, 32, 128)
  steps = 2_000 if effort.full else 1_000
  repeats = 2 if effort.full else 1

  rows = []
  for repeat in range(repeats):
    for analysis, synthesis in progress.track(list(itertools.product(sizes, sizes)), 'codec'):
      codec = DigitCodec(analysis, synthesis, [effort.seed, repeat])
      codec.train(digits, steps)
      for surrogate in measured:
        bias, expected = codec.bias(surrogate, digits[:_BIAS_DIGITS])
        rows.append(
          {
            'surrogate': study.label(surrogate),
            'analysis': analysis,
            'synthesis': synthesis,
            'repeat': repeat,
            'greatest_bias': float(np.abs(bias).max()),
            'mean_bias': float(np.abs(bias).mean()),
            'mean_expected': float(np.abs(expected).mean()),
            'mse': codec.error(digits),
          }
        )
  return [Study('network', rows, _draw(rows, sizes))]


def _enumerable(surrogate):
  """Returns whether the expected gradient is known, and components are independent."""
  y = tf.zeros([2, 3])
  return surrogate.has_secant() and surrogate.noise(y, tf.constant([0, 0])).shape == y.shape


def read_mnist(folder: Path) -> np.ndarray:
  """Reads MNIST's training images.

  Args:
    folder: Folder with the file, compressed by gzip or not.

  Returns:
    Digits, `float32[60000, 784]`, 0 to 1.

  Raises:
    AnalysisError: if the file is missing or damaged.
  """
  path, data = _read_file(folder)
  size = _HEADER_BYTES + _DIGITS * PIXELS
  # The magic number of a three-dimensional array of bytes.
  if len(data) != size or data[:4] != b'\0\0\x08\x03':
    raise AnalysisError(f'{path} is not the 60,000 training images of MNIST')
  pixels = np.frombuffer(data, np.uint8, offset=_HEADER_BYTES)
  return pixels.reshape(-1, PIXELS).astype(np.float32) / 255


def _read_file(folder):
  compressed = folder / f'{_FILE}.gz'
  plain = folder / _FILE
  if compressed.exists():
    try:
      with gzip.open(compressed) as file:
        return compressed, file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
      raise AnalysisError(f'{compressed} is damaged: {error}') from error
  if plain.exists():
    return plain, plain.read_bytes()
  raise AnalysisError(f'{folder} has no {_FILE}.gz: give the folder of MNIST by --mnist')


def _draw(rows: Sequence[dict], sizes: Sequence[int]) -> Figure:
  """Draws the greatest bias for all sizes, a panel for each surrogate."""
  names = list(dict.fromkeys(row['surrogate'] for row in rows))
  columns = min(len(names), _COLUMNS)
  lines = -(-len(names) // columns)
  with matplotlib.rc_context({**plot.STYLE, 'axes.grid': False}):
    figure = Figure(figsize=(4.8 * columns + 0.8, 4.4 * lines), layout='constrained')
    # The last line may have fewer panels.
    for axes, name in zip(figure.subplots(lines, columns, squeeze=False).flat, names):
      shown = [row for row in rows if row['surrogate'] == name]
      _draw_sizes(axes, _mean_biases(shown, sizes), sizes)
      axes.set_title(name)
  return figure


def _mean_biases(rows, sizes):
  """Returns the means over repeats of the greatest bias, `float64[analysis, synthesis]`."""
  biases = np.zeros([len(sizes), len(sizes)])
  for index in np.ndindex(*biases.shape):
    analysis, synthesis = sizes[index[0]], sizes[index[1]]
    repeats = [row for row in rows if (row['analysis'], row['synthesis']) == (analysis, synthesis)]
    biases[index] = np.mean([row['greatest_bias'] for row in repeats])
  return biases


def _draw_sizes(axes: Axes, biases: np.ndarray, sizes: Sequence[int]) -> None:
  """Draws a matrix of biases with its numbers."""
  image = axes.imshow(biases, origin='lower', cmap='viridis')
  # The upper half of the colours is bright.
  middle = (biases.max() + biases.min()) / 2
  for (row, column), bias in np.ndenumerate(biases):
    color = 'black' if bias > middle else 'white'
    axes.text(column, row, f'{bias:.3g}', ha='center', va='center', color=color)

  labels = [str(size) for size in sizes]
  axes.set_xticks(range(len(sizes)), labels)
  axes.set_yticks(range(len(sizes)), labels)
  axes.set_xlabel('units in the synthesis')
  axes.set_ylabel('units in the analysis')
  axes.figure.colorbar(image, ax=axes, label='greatest bias of STE [squared error]')
