"""Transforms that begin as a transform coder: a linear block transform, plus a network.

The analysis is `y = V^T (x - m) / step` of 16x16 pixels, and the synthesis `m + step V y`, with the
orthonormal basis `V`, the colour `m` and the step of `tfusq.transforms.block_bases`: rounding `y`
to integers is quantizing coefficients in steps of `step`. To each half a network is added whose
last layer is zero at first, as in Glow.

An optimizer such as Adam changes all weights by the same amount, whatever their size. Both halves
therefore have the kernel `V / step`, so that both change alike relative to what they are; the
synthesis multiplies it by `step^2`. As `step V`, its kernel would change by a tenth in a step of
training at high rates, and its loss would rise. The synthesis' network sees `step y`, in the unit
of pixels, for the same reason.

#### References
Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, 2018, Sec. 3.1
(initialization from data) and 3.3 (last layers of zero). https://arxiv.org/abs/1807.03039
"""

import numpy as np
import tensorflow as tf

from tfusq.transforms import block_bases
from tfusq.transforms.base import Transforms
from tfusq.transforms.block_bases import COEFFICIENTS, GREY, SIDE, BlockBasis
from tfusq.transforms.layers import (
  LINEAR,
  BlockConv2D,
  BlockConv2DTranspose,
  Conv2D,
  Conv2DTranspose,
  Initializer,
)
from tfusq.transforms.light import Light


class KLT(Transforms):
  """A linear transform of 16x16 blocks plus a network, beginning as the Karhunen-Loeve transform.

  Initialized from data, it begins as the transform of the training photographs' blocks, scaled to
  the quantization step that lambda asks for; else as a cosine transform, scaled alike.
  """

  def __init__(
    self,
    lmbda: float = 0.013,
    network: Transforms | None = Light(),
    overlap: int = 0,
    squared_error: float = 1.0,
  ):
    """Initializer.

    Args:
      lmbda: Weight of the distortion, that of the codec; decides about the quantization step.
      network: Transforms of which the same half is added, its last layer zero at first; None for
        the linear transform alone.
      overlap: Number of pixels that a block reaches over its borders on each side, with weights
        that are zero at first: above 0, the transform is a lapped one.
      squared_error: Mean squared error, of 8-bit pixels, that is as bad as one unit of the codec's
        distortion: 1 where that is this error.

    Raises:
      TypeError: if `network` is of another type.
      ValueError: if a number is out of range.
    """
    if not lmbda > 0:
      raise ValueError(f'KLT.lmbda must be positive, not {lmbda!r}')
    if not squared_error > 0:
      raise ValueError(f'KLT.squared_error must be positive, not {squared_error!r}')
    if network is not None and not isinstance(network, Transforms):
      raise TypeError(f'KLT.network must be Transforms or None, not {network!r}')
    if not (isinstance(overlap, int) and 0 <= overlap <= SIDE):
      raise ValueError(f'KLT.overlap must be an integer from 0 to {SIDE}, not {overlap!r}')
    self._step = block_bases.quantization_step(lmbda / squared_error)
    self._network = network
    self._overlap = overlap

  def analysis(self, filters, latent_channels):
    _check_channels(latent_channels)
    network = self._network and self._network.analysis(filters, latent_channels)
    return Analysis(latent_channels, self._step, self._overlap, network)

  def synthesis(self, filters, latent_channels):
    _check_channels(latent_channels)
    network = self._network and self._network.synthesis(filters, latent_channels)
    return Synthesis(latent_channels, self._step, self._overlap, network)


class _LinearPlusNetwork(tf.keras.layers.Layer):
  """A linear transform of blocks plus a network that begins at zero; float32.

  Attributes:
    linear: The linear transform.
    network: The network, or None.
  """

  # Side of an input that is two blocks wide.
  _side: int

  def __init__(
    self, latent_channels: int, step: float, overlap: int, network: tf.keras.layers.Layer | None
  ):
    """Initializer.

    Args:
      latent_channels: Number of coefficients of a block that are kept.
      step: Quantization step, of pixels from 0 to 1.
      overlap: Number of pixels that a block reaches over its borders on each side.
      network: Network that is added, or None.
    """
    super().__init__(name=type(self).__name__.lower())
    self._step = step
    self._overlap = overlap
    self._latent_channels = latent_channels
    kernel, bias = self._weights(block_bases.cosine(latent_channels))
    self.linear = self._linear(SIDE + 2 * overlap, _constant(kernel), _constant(bias))
    self.network = network

  def build(self, input_shape: tf.TensorShape) -> None:
    if self.network is not None:
      end_at_zero(self.network, [1, self._side, self._side, input_shape[-1]])
    super().build(input_shape)

  def initialize_from_data(self, x: np.ndarray) -> None:
    """Makes the linear transform that of images; those smaller than a block leave it as it is.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
    """
    if min(x.shape[1:3]) < SIDE:
      return
    basis = block_bases.karhunen_loeve(x, self._latent_channels)
    for variable, value in zip((self.linear.kernel, self.linear.bias), self._weights(basis)):
      variable.assign(value)

  def _linear(
    self, kernel_size: int, kernel: Initializer, bias: Initializer
  ) -> Conv2D | Conv2DTranspose:
    """Returns the linear transform, in float32: coefficients have more digits than 16 bits hold.

    Args:
      kernel_size: Side of the kernel.
      kernel: Initializer of the kernel.
      bias: Initializer of the bias.
    """
    raise NotImplementedError

  def _weights(self, basis: BlockBasis) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel and bias of the linear transform to or from a basis."""
    raise NotImplementedError

  def _padded(self, vectors: np.ndarray) -> np.ndarray:
    margin = (self._overlap, self._overlap)
    return np.pad(vectors, [margin, margin, (0, 0), (0, 0)])

  def _plus_network(self, linear: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    return linear if self.network is None else linear + tf.cast(self.network(inputs), tf.float32)


class Analysis(_LinearPlusNetwork):
  """Images to latents of a sixteenth of their sides."""

  _side = 2 * SIDE

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    # What a lapped transform sees beyond an image is grey.
    return self._plus_network(self.linear(tf.cast(inputs, tf.float32) - GREY), inputs)

  def companded(self, latents: tf.Tensor) -> tf.Tensor:
    """Returns what a hyper analysis sees of latents: their magnitudes on a logarithmic scale.

    Some coefficients of a block are a thousand times as large as others, and the hyperlatent tells
    the logarithms of their scales.
    """
    return tf.asinh(latents)

  def _linear(self, kernel_size, kernel, bias):
    layer = Conv2D if self._overlap else BlockConv2D
    return layer(self._latent_channels, kernel_size, SIDE, kernel, bias, 'float32')

  def _weights(self, basis):
    bias = np.tensordot(GREY - basis.mean, basis.vectors.sum((0, 1)), 1)
    return self._padded(basis.vectors / self._step), bias / self._step


class Synthesis(_LinearPlusNetwork):
  """Latents to images of sixteen times their sides."""

  _side = 2

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return self._plus_network(self.linear(inputs * self._step**2), inputs * self._step)

  def _linear(self, kernel_size, kernel, bias):
    layer = Conv2DTranspose if self._overlap else BlockConv2DTranspose
    return layer(3, kernel_size, SIDE, kernel, bias, 'float32')

  def _weights(self, basis):
    return self._padded(basis.vectors / self._step), basis.mean


def end_at_zero(network: tf.keras.layers.Layer, shape: list[int]) -> None:
  """Creates a network's variables, and makes its last layer zero, so that its result is.

  It is the last of its layers that has this effect: an attention module behind it stays as it is.

  Args:
    network: Network, such as one of `Transforms`.
    shape: Shape of an input.

  Raises:
    ValueError: if no layer of `tfusq.transforms` has this effect.
  """
  inputs = tf.random.stateless_normal(shape, [1, 2])
  network(inputs)
  layers = [layer for layer in network._flatten_layers() if isinstance(layer, LINEAR)]
  for layer in reversed(layers):
    before = layer.get_weights()
    layer.set_weights([np.zeros_like(weights) for weights in before])
    if not np.any(network(inputs)):
      return
    layer.set_weights(before)
  raise ValueError(
    f'KLT.network: {network.name} has no layer of tfusq.transforms that makes its result zero'
  )


def _check_channels(latent_channels: int) -> None:
  if latent_channels > COEFFICIENTS:
    raise ValueError(
      f'KLT has at most {COEFFICIENTS} latent channels, as many as a block has numbers, '
      f'not {latent_channels}'
    )


def _constant(value: np.ndarray) -> Initializer:
  """Returns an initializer; Keras' own of a constant holds no arrays."""
  return lambda shape, dtype=None, **_: tf.reshape(tf.constant(value, dtype), shape)
