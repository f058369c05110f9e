"""The interface of entropy models."""

import abc
from typing import Any

import numpy as np
import tensorflow as tf

from tfusq.coding import Coder


def require_floor(model: tf.Module, floor: float) -> float:
  """Checks an entropy model's argument `floor`.

  Args:
    model: Entropy model whose class the message names.
    floor: Probability below which bits are saturated.

  Returns:
    The floor.

  Raises:
    ValueError: unless it is in [0, 1).
  """
  if not 0 <= floor < 1:
    raise ValueError(f'{type(model).__name__}.floor must be a probability below 1, not {floor}')
  return float(floor)


class EntropyModel(tf.Module, metaclass=abc.ABCMeta):
  """Probabilities `P(y_hat | parameters)` of a latent: the base class of `tfusq.entropy_models`.

  The latent's components are independent given their parameters. Its rate is the sum of
  `-log2 P`, Eq. (23), where `P(y)` is the mass of a density in the unit bin around `y`, Eq. (24):

      P(y) = c(y + 1/2) - c(y - 1/2)

  with the density's cumulative distribution function `c`. As a function of real `y`, it is also the
  density of the latent plus uniform noise.

  A subclass must define `parameters` and `bits`. It may define

  * `channels`, where the network gives parameters;
  * `build`, for variables whose shapes depend on the number of latent channels;
  * `centre`, without which there is no zero-centre quantization;
  * `coder`, without which a trained codec cannot be exported;
  * `widen`, without which a codec of variable rate tells its scales by the hyperlatent alone;
  * `initial_raw` or, where it has variables, `initialize_from_data`: how it starts from data.

  Both `bits` and `parameters` are local: a component depends on its own latent value and its own
  raw parameters. An exported codec is identified by the class's name and by the attributes that are
  numbers and do not begin with an underscore, so that they must say what decoding depends on.

  Attributes:
    channels: Number of network outputs for each latent channel; 0 where nothing conditions it.
  """

  channels = 0

  def build(self, latent_channels: int) -> None:
    """Creates the variables; called once by the codec model.

    Args:
      latent_channels: Number of channels of the latent.
    """

  @abc.abstractmethod
  def parameters(self, raw: tf.Tensor) -> Any:
    """Returns the parameters of each component.

    Args:
      raw: Network output, `[batch, height, width, channels * latent_channels]`, float32.

    Returns:
      A NamedTuple of tensors; usually each is of the latent's shape
      `[batch, height, width, latent_channels]`.
    """

  def centre(self, parameters: Any) -> tf.Tensor:
    """Returns what zero-centre quantization subtracts; overriding it admits zero-centre.

    Args:
      parameters: Result of `parameters`.

    Returns:
      Float, of the latent's shape.

    Raises:
      NotImplementedError: where the density has no centre.
    """
    raise NotImplementedError(f'{type(self).__name__} has no centre')

  @abc.abstractmethod
  def bits(self, y: tf.Tensor, parameters: Any) -> tf.Tensor:
    """Returns `-log2 P(y)` of each component.

    Args:
      y: Quantized latent or its surrogate, `[batch, height, width, latent_channels]`, float32 or
        float64.
      parameters: Result of `parameters`, of the same dtype.

    Returns:
      Bits of the dtype and shape of `y`, at least 0 but for rounding, finite for every finite `y`,
      and differentiable in `y` and in the parameters.
    """

  def coder(self, zero_centre: bool) -> Coder:
    """Makes the range coder, whose tables are stored in an exported codec.

    Args:
      zero_centre: Whether the symbols are `round(y - centre)`, or `round(y)`.

    Returns:
      The coder of symbols given `parameters`.

    Raises:
      NotImplementedError: where there is no bitstream; says what to use instead.
    """
    raise NotImplementedError(f'{type(self).__name__} has no bitstream')

  def widen(self, raw: tf.Tensor, log_factor: tf.Tensor) -> tf.Tensor:
    """Returns the raw parameters of densities whose scales are multiplied; by default, `raw`.

    It decides table indexes, and so must do with single operations that IEEE 754 defines, such as
    an addition.

    Args:
      raw: Network output, `[batch, height, width, channels * n]`, float.
      log_factor: Natural logarithm of the factor for each channel of the latent, `float32[batch or
        1, 1, 1, n]`.

    Returns:
      `[batch, height, width, channels * n]`.
    """
    del log_factor
    return raw

  def initial_raw(self, mean_absolute: np.ndarray) -> np.ndarray | None:
    """Returns the raw parameters with which training starts, where it starts from data.

    Args:
      mean_absolute: Mean absolute value of each channel of the latent, `float64[n]`.

    Returns:
      `float64[channels * n]`, in the order of `parameters`; None where the network's own start is
      kept.
    """
    del mean_absolute
    return None

  def initialize_from_data(self, mean_absolute: np.ndarray) -> None:
    """Sets the model's own variables to where training starts from data; by default, none.

    Args:
      mean_absolute: Mean absolute value of each channel of the latent, `float64[latent_channels]`.
    """

  @classmethod
  def has_centre(cls) -> bool:
    """Returns whether `centre` is defined, and with it zero-centre quantization."""
    return cls.centre is not EntropyModel.centre
