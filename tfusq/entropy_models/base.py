"""What an entropy model is."""

from typing import NamedTuple

import tensorflow as tf

from tfusq.coding import Coder


def require_floor(model: tf.Module, floor: float) -> float:
  """Returns a floor of the probability; raises `ValueError` unless it is in [0, 1)."""
  if not 0 <= floor < 1:
    raise ValueError(f'{type(model).__name__}.floor must be a probability below 1, not {floor}')
  return float(floor)


class EntropyModel(tf.Module):
  """`P(y_hat | parameters)`: the base class of the group `tfusq.entropy_models`.

  Attributes:
    channels: How many network outputs each latent channel takes; 0 where nothing conditions it.
  """

  channels = 0

  def build(self, latent_channels: int) -> None:
    """Creates what depends on the number of latent channels; called once by the codec model."""

  def parameters(self, raw: tf.Tensor) -> NamedTuple:
    """Returns the parameters of each component.

    Args:
      raw: Network output, `[batch, height, width, channels * latent channels]`, float.

    Returns:
      A NamedTuple of tensors.
    """
    raise NotImplementedError

  def centre(self, parameters: NamedTuple) -> tf.Tensor:
    """Returns what zero-centre quantization subtracts; overriding it admits zero-centre."""
    raise NotImplementedError(f'{type(self).__name__} has no centre')

  def bits(self, y: tf.Tensor, parameters: NamedTuple) -> tf.Tensor:
    """Returns `-log2 P(y)`, elementwise, differentiable in `y` and the parameters."""
    raise NotImplementedError

  def coder(self, zero_centre: bool) -> Coder:
    """Makes the range coder's tables, to be stored in an exported codec.

    Args:
      zero_centre: Whether the symbols are `round(y - centre)`, or `round(y)`.

    Returns:
      The coder.

    Raises:
      NotImplementedError: where there is no bitstream; says what to use instead.
    """
    raise NotImplementedError(f'{type(self).__name__} has no bitstream')

  @classmethod
  def has_centre(cls) -> bool:
    """Whether `centre` is defined, so that zero-centre quantization is."""
    return cls.centre is not EntropyModel.centre
