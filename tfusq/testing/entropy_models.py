"""Checks of entropy models."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfusq.coding import Coder
from tfusq.entropy_models import EntropyModel
from tfusq.quantization.rounding import MAX_SYMBOL
from tfusq.testing.requirements import NotApplicable, gradient_of, require, require_same_when_traced

_CHANNELS = 4

# Whatever the entropy model returns from `parameters`.
Parameters = Any


def _ready(entropy_model: EntropyModel, channels: int = _CHANNELS) -> tuple[tf.Tensor, Parameters]:
  """Builds a model; returns raw and other parameters of `[1, 8, 40, channels]` latents."""
  entropy_model.build(channels)
  raw = tf.random.stateless_normal([1, 8, 40, entropy_model.channels * channels], [5, 6])
  return raw, entropy_model.parameters(raw)


def _typical(
  entropy_model: EntropyModel, parameters: Parameters, channels: int = _CHANNELS
) -> tf.Tensor:
  """Returns `[1, 8, 40, channels]` latents around the centre, or around 0 if there is none."""
  y = 2 * tf.random.stateless_normal([1, 8, 40, channels], [7, 8])
  if entropy_model.has_centre():
    y += entropy_model.centre(parameters)
  return y


def bits_are_finite(entropy_model: EntropyModel) -> None:
  """Bits are finite and at least 0, out to 10,000 from the centre."""
  _, parameters = _ready(entropy_model)
  y = _typical(entropy_model, parameters)
  for scale in (1.0, 30.0, 1e4):
    bits = entropy_model.bits(scale * y, parameters).numpy()
    require(bits.shape == y.shape, f'bits of a latent of {y.shape} have the shape {bits.shape}')
    bad = (~np.isfinite(bits)).sum()
    require(not bad, f'{bad} of {bits.size} bits are not finite, {scale:g} times as far out')
    require(bits > -1e-4, f'the least bits are {bits.min():.3g}, less than 0')


def probabilities_sum_to_one(entropy_model: EntropyModel) -> None:
  """`sum_k 2^-bits(k) = 1` over the integers, and over the integers shifted by 0.3."""
  raw, _ = _ready(entropy_model)
  k = tf.range(-4000.0, 4001)
  parameters = entropy_model.parameters(tf.repeat(raw[:, :2, :2], k.shape[0], 0))

  for shift in (0.0, 0.3):
    y = tf.broadcast_to((k + shift)[:, None, None, None], [k.shape[0], 2, 2, _CHANNELS])
    bits = entropy_model.bits(y, parameters).numpy().astype(np.float64)
    total = np.exp2(-bits).sum(0)
    worst = total.flat[np.abs(total - 1).argmax()]
    # The mass of heavy tails beyond 4,000 may be missing.
    require((total < 1.001) & (total > 0.99), f'the probabilities sum to {worst:.5f}')


def bits_are_local(entropy_model: EntropyModel) -> None:
  """A component's bits depend on its own latent and raw parameters, not on its neighbours'."""
  raw, parameters = _ready(entropy_model)
  y = _typical(entropy_model, parameters)
  together = entropy_model.bits(y, parameters)[:, :2, :3]
  alone = entropy_model.bits(y[:, :2, :3], entropy_model.parameters(raw[:, :2, :3]))
  difference = np.abs(together - alone).max()
  require(difference < 1e-4, f'bits are {difference:.3g} apart where other positions are left out')


def bits_have_their_gradients(entropy_model: EntropyModel) -> None:
  """Gradients with respect to latent and raw parameters are finite differences of the bits."""
  raw, parameters = _ready(entropy_model, channels=1)
  y = _typical(entropy_model, parameters, channels=1)
  y += 10.0 * tf.cast(tf.range(40) % 4 == 0, tf.float32)[:, None]  # A quarter of them far out.

  def bits(y, raw):
    return entropy_model.bits(y, entropy_model.parameters(raw))[..., 0]

  _, (by_y, by_raw) = gradient_of(bits, y, raw)

  # In float32, smaller steps leave few digits of the difference.
  h = 4e-3
  difference = (bits(y + h, raw) - bits(y - h, raw)) / (2 * h)
  _require_gradient('latent', by_y, difference)

  # All raw parameters of a component move together: the difference is along their sum.
  difference = (bits(y, raw + h) - bits(y, raw - h)) / (2 * h)
  _require_gradient('raw parameters', by_raw, difference)


def _require_gradient(name: str, gradient: tf.Tensor, difference: tf.Tensor) -> None:
  """Requires that a gradient, summed over its last axis, is a finite difference."""
  error = np.abs(tf.reduce_sum(gradient, -1) - difference) / (1 + np.abs(difference))
  share = (error > 2e-2).mean()
  # A few components may lie at a bound or a cusp.
  require(
    share < 0.03,
    f'the gradient of the {name} is off in {share:.0%} of the positions, by '
    f'{np.quantile(error, 0.98):.3g} (relative)',
  )


def widens_each_channel(entropy_model: EntropyModel) -> None:
  """`widen` changes nothing by a factor of 1; by 4, far values of that channel cost less."""
  if type(entropy_model).widen is EntropyModel.widen:
    raise NotApplicable('it has no scales to widen')
  raw, parameters = _ready(entropy_model)
  y = 4 * _typical(entropy_model, parameters)
  before = entropy_model.bits(y, parameters)

  for widened in range(_CHANNELS):
    log_factor = np.zeros([1, 1, 1, _CHANNELS], np.float32)
    log_factor[..., widened] = np.log(4)
    other_raw = entropy_model.widen(raw, tf.constant(log_factor))
    require(
      other_raw.shape == raw.shape,
      f'raw parameters of the shape {raw.shape} are widened to {other_raw.shape}',
    )
    after = entropy_model.bits(y, entropy_model.parameters(other_raw))
    change = np.mean(after - before, axis=(0, 1, 2))
    kept = np.abs(np.delete(change, widened)).max()
    require(
      change[widened] < 0 and kept < 1e-4,
      f'a channel that is widened costs {change[widened]:+.3g} bits a value, and others {kept:.3g}',
    )


def agrees_when_traced(entropy_model: EntropyModel) -> None:
  """A graph of unknown shapes gives the bits and gradients of eager calls."""
  raw, parameters = _ready(entropy_model)

  def bits(y, raw):
    return entropy_model.bits(y, entropy_model.parameters(raw))

  def bits_and_gradients(y, raw):
    value, gradients = gradient_of(bits, y, raw)
    return [value, *gradients]

  require_same_when_traced(bits_and_gradients, _typical(entropy_model, parameters), raw)


def codes_exactly_and_near_its_estimate(entropy_model: EntropyModel) -> None:
  """Symbols, far ones too, decode exactly, and cost what the model says within 1 % and 8 bytes."""
  _, parameters = _ready(entropy_model)
  coded = False
  for zero_centre in [False, True] if entropy_model.has_centre() else [False]:
    try:
      coder = entropy_model.coder(zero_centre)
    except NotImplementedError:
      continue
    coded = True
    _require_coding(entropy_model, parameters, coder, zero_centre)
  if not coded:
    raise NotApplicable('it has no bitstream')


def _require_coding(
  entropy_model: EntropyModel, parameters: Parameters, coder: Coder, zero_centre: bool
) -> None:
  """Requires exact decoding, and a length near the estimate, of one of a model's coders."""
  y = _typical(entropy_model, parameters)
  offset = entropy_model.centre(parameters) if zero_centre else tf.zeros([])
  symbols = tf.cast(tf.round(y - offset), tf.int32)
  index = coder.index(parameters)

  string = _encode_and_decode(coder, symbols, index, zero_centre)
  length = 8 * int(tf.strings.length(string))
  bits = entropy_model.bits(tf.cast(symbols, tf.float32) + offset, parameters)
  estimate = float(tf.reduce_sum(coder.price(bits, symbols, index)))
  require(
    abs(length - estimate) < 0.01 * estimate + 64,
    f'the string has {length} bits, the estimate {estimate:.0f}',
  )

  # Far symbols leave the tables and take their escape code.
  positions = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 2, 0]]
  far = tf.tensor_scatter_nd_update(symbols, positions, [2**20, -(2**20), MAX_SYMBOL])
  _encode_and_decode(coder, far, index, zero_centre)


def _encode_and_decode(
  coder: Coder, symbols: tf.Tensor, index: tf.Tensor, zero_centre: bool
) -> tf.Tensor:
  """Returns the string of symbols, after requiring that it decodes to them."""
  string = coder.finalize(coder.encode(coder.encoder(), symbols, index))
  _, decoded = coder.decode(coder.decoder(string), index)
  wrong = np.count_nonzero(decoded - symbols)
  require(
    not wrong,
    f'{wrong} of {tf.size(symbols)} symbols decode to others (zero_centre = {zero_centre})',
  )
  return string


def starts_near_its_data(entropy_model: EntropyModel) -> None:
  """Started from a latent, it gives it fewer bits than started from one of 8 times the size.

  The same holds for a latent of an eighth of the size.
  """
  magnitudes = np.array([0.5, 1.0, 4.0, 12.0])
  random = np.random.default_rng(9)
  y = tf.constant(random.laplace(size=[1, 8, 40, _CHANNELS]) * magnitudes, tf.float32)
  entropy_model.build(_CHANNELS)
  matching = _bits_started_at(entropy_model, y, magnitudes)
  for factor in (8.0, 1 / 8):
    other = _bits_started_at(entropy_model, y, factor * magnitudes)
    require(
      matching < other,
      f'a latent has {matching:.0f} bits by a start from it, and {other:.0f} by a start from one '
      f'{factor:g} times as large',
    )


def _bits_started_at(entropy_model: EntropyModel, y: tf.Tensor, mean_absolute: np.ndarray) -> float:
  """Returns the bits of a latent by a model that has started from mean absolute values."""
  entropy_model.initialize_from_data(mean_absolute)
  raw = entropy_model.initial_raw(mean_absolute)
  if raw is None:
    if type(entropy_model).initialize_from_data is EntropyModel.initialize_from_data:
      raise NotApplicable('it does not start from data')
    raw = np.zeros([0])
  size = entropy_model.channels * _CHANNELS
  require(
    raw.shape == (size,), f'the raw parameters at the start have the shape {raw.shape}, not {size}'
  )
  raw = tf.broadcast_to(tf.constant(raw, tf.float32), [*y.shape[:3], size])
  return float(tf.reduce_sum(entropy_model.bits(y, entropy_model.parameters(raw))))


entropy_model_checks = [
  bits_are_finite,
  bits_are_local,
  probabilities_sum_to_one,
  bits_have_their_gradients,
  widens_each_channel,
  agrees_when_traced,
  codes_exactly_and_near_its_estimate,
  starts_near_its_data,
]
