"""Conformance checks for surrogates, estimators and entropy models, ours and anybody's.

Each check is a plain function of one object that returns when the object keeps what it tests and
raises `NonConformance` with one sentence and a number when it does not. They test mathematics, not
form. Two front ends run one list: `tfusq check NAME`, and with pytest

    @tfusq.testing.conformance(MySurrogate(), MyEntropyModel())
    def test_conformance(check):
      check()

Statistical checks use fixed seeds and refuse at a z-score of 5.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.entropy_models import EntropyModel
from tfusq.estimators import Estimator, Undefined
from tfusq.quantizer import MAX_SYMBOL
from tfusq.surrogates import AUN, SR, SUA, Round, Surrogate
from tfusq.temperature import Temperature, temperature_parameters

_MAX_Z = 5
_SAMPLES = 100_000
_HARD_LATENTS = np.array(
    [-2, -1, 0, 1, 7, -1.5, -.5, .5, 2.5, 60.5, 1e4, -1e4, .3, -.7, 1e-6, .4999999, .9999999])


class NonConformance(AssertionError):
  """What an object violates, in one sentence with a number."""


def _require(condition, sentence: str):
  if not np.all(condition):
    raise NonConformance(sentence)


def _grid(dtype=tf.float32):
  """Latents in every phase of three cells, none a half-integer or an integer."""
  return tf.constant(np.linspace(-1.5, 1.5, 60, endpoint=False) + .0123, dtype)[None]


def _noise(surrogate, y, seed=(1, 2)):
  return surrogate.noise(y, tf.constant(seed))


def _gradient(f: Callable, *xs):
  with tf.GradientTape() as tape:
    tape.watch(xs)
    value = f(*xs)
  return value, tape.gradient(value, xs, unconnected_gradients='zero')


# Surrogates.


def keeps_shape_and_dtype(surrogate: Surrogate) -> None:
  """`y_tilde` has the shape and dtype of `y`, and the noise broadcasts to it."""
  for dtype in (tf.float32, tf.float64):
    y = tf.zeros([2, 3, 5, 4], dtype)
    u = _noise(surrogate, y)
    _require(u.shape.rank == 4 and tf.broadcast_static_shape(u.shape, y.shape) == y.shape,
             f'noise of shape {u.shape} does not broadcast to a latent of {y.shape}')
    y_tilde = surrogate(y, u)
    _require(y_tilde.shape == y.shape and y_tilde.dtype == dtype,
             f'a latent of {y.shape}, {dtype.name} became {y_tilde.shape}, {y_tilde.dtype.name}')


def is_finite(surrogate: Surrogate) -> None:
  """The forward calculation, and what its estimators need, are finite at hard latents."""
  y = tf.constant(_HARD_LATENTS, tf.float32)[None]
  parts = {'y_tilde': surrogate(y, _noise(surrogate, y))}
  parts['slope of the proxy'] = _gradient(surrogate.proxy, y)[1][0]
  if surrogate.differentiable:
    parts['gradient'] = _gradient(surrogate, y, _noise(surrogate, y))[1][0]
  if surrogate.has_secant():
    parts |= {f'secant.{name}': value for name, value in surrogate.secant(y)._asdict().items()}
  for name, value in parts.items():
    bad = np.flatnonzero(~np.isfinite(value[0]))
    _require(not bad.size, f'{name} is not finite at y = {_HARD_LATENTS[bad]}')


def shifts_by_integers(surrogate: Surrogate) -> None:
  """`Q(y + k, u) = Q(y, u) + k` for integer k: a unit step size."""
  y = _grid(tf.float64)
  u = _noise(surrogate, y)
  for k in (1, -3):
    error = np.abs(surrogate(y + k, u) - surrogate(y, u) - k).max()
    _require(error < 1e-9, f'Q(y + {k}, u) differs from Q(y, u) + {k} by {error:.3g}')


def stays_near(surrogate: Surrogate) -> None:
  """`y_tilde` is within 1 of `y`, as one of its two integers or noise of one step is."""
  y = tf.tile(_grid(), [50, 1])
  distance = np.abs(surrogate(y, _noise(surrogate, y)) - y).max()
  _require(distance <= 1 + 1e-5, f'y_tilde is up to {distance:.4g} away from y')


def noise_follows_the_seed(surrogate: Surrogate) -> None:
  """Equal seeds give equal noise; other seeds give other noise, unless there is none."""
  y = tf.zeros([2, 8, 8, 3])
  first, again, other = (_noise(surrogate, y, seed).numpy() for seed in ((1, 2), (1, 2), (1, 3)))
  _require(np.array_equal(first, again),
           f'one seed gave two noises, {np.abs(first - again).max():.3g} apart')
  if np.ptp(first) or np.ptp(other):
    share = (first == other).mean()
    _require(share < .01, f'two seeds gave the same noise in {share:.0%} of the places')


def is_a_function_of_latent_and_noise(surrogate: Surrogate) -> None:
  """Called twice on one latent and noise, the surrogate gives one value."""
  y = _grid()
  u = _noise(surrogate, y)
  apart = np.abs(surrogate(y, u) - surrogate(y, u)).max()
  _require(apart == 0, f'two calls on one latent and noise are {apart:.3g} apart')


def gradient_is_the_finite_difference(surrogate: Surrogate) -> None:
  """Where the surrogate says it is differentiable, autodiff agrees with finite differences."""
  if not surrogate.differentiable:
    return
  y = tf.tile(_grid(tf.float64), [20, 1])
  u = _noise(surrogate, y)
  ours = _gradient(surrogate, y, u)[1][0].numpy()
  h = 1e-6
  differences = [((surrogate(y + step, u) - surrogate(y - step, u)) / (2 * step)).numpy()
                 for step in (h, h / 2)]
  # Where two step sizes disagree there is a kink, as at the cells' borders.
  smooth = np.abs(differences[0] - differences[1]) < 1e-4 * (1 + np.abs(differences[1]))
  error = np.where(smooth, np.abs(ours - differences[1]) / (1 + np.abs(differences[1])), 0)
  _require(smooth.mean() > .5 and error.max() < 1e-3,
           f'the gradient is {error.max():.3g} (relative) off the finite difference')


def secant_is_the_change_of_the_mean(surrogate: Surrogate) -> None:
  """The secant integrates to the Monte-Carlo change of `E[f(Q(y))]`, for three functions f."""
  if not surrogate.has_secant():
    return
  functions = {'f(v) = v': lambda v: v, 'f(v) = v^2': tf.square, 'f(v) = cos(3 v)':
               lambda v: tf.cos(3 * v)}
  for low, high in ((.1, .4), (.55, .95), (-.2, .3), (.9, 1.6)):
    edges = np.linspace(low, high, 2001)
    middles = tf.constant((edges[1:] + edges[:-1]) / 2)
    secant = surrogate.secant(middles)
    start, end = (tf.fill([_SAMPLES, 1], tf.constant(edge, tf.float64)) for edge in (low, high))
    u = _noise(surrogate, start)
    at_start, at_end = surrogate(start, u), surrogate(end, u)
    for name, f in functions.items():
      integral = float(tf.reduce_mean(secant.slope * (f(secant.upper) - f(secant.lower)))) * (
          high - low)
      change = (f(at_end) - f(at_start)).numpy()
      z = (change.mean() - integral) / (change.std() / np.sqrt(_SAMPLES) + 1e-5)
      _require(abs(z) < _MAX_Z, f'over [{low}, {high}] the mean of {name} changes by '
               f'{change.mean():.5f}, and the secant integrates to {integral:.5f}: z = {z:.1f}')


surrogate_checks = [
    keeps_shape_and_dtype, is_finite, shifts_by_integers, stays_near, noise_follows_the_seed,
    is_a_function_of_latent_and_noise, gradient_is_the_finite_difference,
    secant_is_the_change_of_the_mean]


# Estimators.


def _admitted(estimator: Estimator) -> Iterator[Surrogate]:
  for surrogate in (Round(), AUN(), SUA(5.), SR()):
    try:
      estimator.check(surrogate)
    except Undefined:
      continue
    yield surrogate


def admits_a_surrogate(estimator: Estimator) -> None:
  """At least one of Round, AUN, SUA and SR is admitted; others are refused with `Undefined`."""
  admitted = len(list(_admitted(estimator)))
  _require(admitted, f'{admitted} of 4 surrogates are admitted')


def leaves_the_forward_value(estimator: Estimator) -> None:
  """The value is the surrogate's, whatever the gradient."""
  y = tf.constant(_HARD_LATENTS, tf.float32)[None]
  for surrogate in _admitted(estimator):
    u = _noise(surrogate, y)
    expected = surrogate(y, u)
    values = [estimator.evaluate(tf.identity, surrogate, y, u)]
    if not estimator.elementwise:
      values.append(estimator.quantize(surrogate, y, u))
    error = max(np.abs(value - expected).max() for value in values)
    _require(error == 0, f'with {type(surrogate).__name__} the value is off by {error:.3g}')


def has_finite_gradients(estimator: Estimator) -> None:
  """The gradient of a smooth loss has the latent's shape and is finite at hard latents."""
  y = tf.constant(_HARD_LATENTS, tf.float32)[None]
  for surrogate in _admitted(estimator):
    u = _noise(surrogate, y)
    _, (by_y,) = _gradient(lambda y: estimator.evaluate(tf.tanh, surrogate, y, u), y)  # noqa: B023
    bad = np.flatnonzero(~np.isfinite(by_y[0]))
    _require(not bad.size, f'with {type(surrogate).__name__} the gradient is not finite at '
             f'y = {_HARD_LATENTS[bad]}')


def moves_the_mean_of_additive_noise(estimator: Estimator) -> None:
  """With AUN, `E[y_tilde] = y`, so that the gradient of a linear loss has the mean 1."""
  if not any(isinstance(surrogate, AUN) for surrogate in _admitted(estimator)):
    return
  y = tf.fill([_SAMPLES, 1], .3)
  u = _noise(AUN(), y)
  by_y = _gradient(lambda y: estimator.evaluate(tf.identity, AUN(), y, u), y)[1][0].numpy()
  z = (by_y.mean(dtype=np.float64) - 1) / (by_y.std() / np.sqrt(_SAMPLES) + 1e-6)
  _require(abs(z) < _MAX_Z, f'the mean gradient is {by_y.mean():.5f}, not 1: z = {z:.1f}')


def keeps_the_gradient_of_parameters(estimator: Estimator) -> None:
  """What else the loss depends on gets its gradient at the sample."""
  y = _grid()
  for surrogate in _admitted(estimator):
    u = _noise(surrogate, y)
    parameter = tf.fill(y.shape, .7)
    _, (ours,) = _gradient(lambda parameter: estimator.evaluate(
        lambda v: tf.sin(parameter * v), surrogate, y, u), parameter)  # noqa: B023
    sample = surrogate(y, u)
    error = np.abs(ours - sample * tf.cos(parameter * sample)).max()
    _require(error < 1e-5, f'with {type(surrogate).__name__} a parameter\'s gradient is off by '
             f'{error:.3g}')


estimator_checks = [
    admits_a_surrogate, leaves_the_forward_value, has_finite_gradients,
    moves_the_mean_of_additive_noise, keeps_the_gradient_of_parameters]


# Entropy models.

_CHANNELS = 4


def _ready(entropy_model):
  """Builds a model's variables; returns parameters of `[1, 8, 40, 4]` latents, raw and not."""
  entropy_model.build(_CHANNELS)
  raw = tf.random.stateless_normal([1, 8, 40, entropy_model.channels * _CHANNELS], [5, 6])
  return raw, entropy_model.parameters(raw)


def _typical(entropy_model, parameters):
  """Latents around the centre, where there is one, else around 0."""
  y = 2 * tf.random.stateless_normal([1, 8, 40, _CHANNELS], [7, 8])
  return y + entropy_model.centre(parameters) if entropy_model.has_centre() else y


def bits_are_finite(entropy_model: EntropyModel) -> None:
  """Bits are finite and at least 0, out to 10,000 from the centre."""
  _, parameters = _ready(entropy_model)
  y = _typical(entropy_model, parameters)
  for scale in (1., 30., 1e4):
    bits = entropy_model.bits(scale * y, parameters).numpy()
    _require(bits.shape == y.shape, f'bits of a latent of {y.shape} have the shape {bits.shape}')
    bad = (~np.isfinite(bits)).sum()
    _require(not bad, f'{bad} of {bits.size} bits are not finite, {scale:g} times as far out')
    _require(bits > -1e-4, f'the least bits are {bits.min():.3g}, less than 0')


def probabilities_sum_to_one(entropy_model: EntropyModel) -> None:
  """`sum_k 2^-bits(k) = 1` over the integers, and over the integers shifted by 0.3."""
  raw, _ = _ready(entropy_model)
  parameters = entropy_model.parameters(raw[:, :2, :2])
  for shift in (0., .3):
    total = np.zeros([1, 2, 2, _CHANNELS])
    for k in range(-400, 401):
      total += np.exp2(-entropy_model.bits(tf.fill(total.shape, k + shift), parameters).numpy())
    error = np.abs(total - 1).max()
    _require(error < 1e-3, f'the probabilities sum to {total.flat[np.abs(total - 1).argmax()]:.5f}')


def bits_have_their_gradients(entropy_model: EntropyModel) -> None:
  """Gradients with respect to latent and raw parameters are finite differences of the bits."""
  raw, parameters = _ready(entropy_model)
  y = _typical(entropy_model, parameters)

  def bits(y, raw):
    return tf.reduce_sum(entropy_model.bits(y, entropy_model.parameters(raw)), -1)

  _, (by_y, by_raw) = _gradient(bits, y, raw)
  h = 1e-2
  for name, gradient, shifted in (
      ('latent', by_y, lambda step: (y + step, raw)),
      ('raw parameters', by_raw, lambda step: (y, raw + step))):
    difference = (bits(*shifted(h)) - bits(*shifted(-h))) / (2 * h)
    error = np.median(np.abs(tf.reduce_sum(gradient, -1) - difference) /
                      (1 + np.abs(difference)))
    _require(error < 5e-3, f'the gradient of the {name} is {error:.3g} (relative) off')


def codes_exactly_and_near_its_estimate(entropy_model: EntropyModel) -> None:
  """Symbols, far ones too, decode exactly, and cost what the model says within 1 % and 8 bytes."""
  _, parameters = _ready(entropy_model)
  for zero_centre in ([False, True] if entropy_model.has_centre() else [False]):
    try:
      coder = entropy_model.coder(zero_centre)
    except NotImplementedError:
      continue
    y = _typical(entropy_model, parameters)
    offset = entropy_model.centre(parameters) if zero_centre else tf.zeros([])
    symbols = tf.cast(tf.round(y - offset), tf.int32)
    index = coder.index(parameters)
    for far in (False, True):
      if far:
        places = [[0, 0, place, 0] for place in range(3)]
        symbols = tf.tensor_scatter_nd_update(symbols, places, [2**20, -2**20, MAX_SYMBOL])
      string = coder.finalize(coder.encode(coder.encoder(), symbols, index))
      wrong = np.count_nonzero(coder.decode(coder.decoder(string), index)[1] - symbols)
      _require(not wrong, f'{wrong} of {tf.size(symbols)} symbols decode to others '
               f'(zero_centre = {zero_centre})')
      if not far:
        length = 8 * int(tf.strings.length(string))
        estimate = float(tf.reduce_sum(coder.price(entropy_model.bits(
            tf.cast(symbols, tf.float32) + offset, parameters), symbols, index)))
        _require(abs(length - estimate) < .01 * estimate + 64,
                 f'the string has {length} bits, the estimate {estimate:.0f}')


entropy_model_checks = [
    bits_are_finite, probabilities_sum_to_one, bits_have_their_gradients,
    codes_exactly_and_near_its_estimate]


# Front ends.

CHECKS = {Surrogate: surrogate_checks, Estimator: estimator_checks,
          EntropyModel: entropy_model_checks}


class BoundCheck(NamedTuple):
  """A check and the object that it is of; calling it runs it."""
  check: Callable
  subject: tf.Module

  def __call__(self) -> None:
    self.check(self.subject)

  @property
  def name(self) -> str:
    """Class and check, such as `SUA-is_finite`."""
    return f'{type(self.subject).__name__}-{self.check.__name__}'


def checks_of(subject: tf.Module) -> list[BoundCheck]:
  """Returns the checks for an object.

  Raises:
    TypeError: if there are none for its kind.
  """
  for base, checks in CHECKS.items():
    if isinstance(subject, base):
      return [BoundCheck(check, subject) for check in checks]
  raise TypeError(f'there are checks for {", ".join(base.__name__ for base in CHECKS)}, not for '
                  f'{type(subject).__name__}')


def describe(subject: tf.Module) -> str:
  """Returns an object's class and temperatures, such as `SUA(alpha = 5)`."""
  values = [f'{name} = {float(getattr(subject, name).value):g}'
            for name in temperature_parameters(type(subject))
            if isinstance(getattr(subject, name, None), Temperature)]
  return f'{type(subject).__name__}({", ".join(values)})'


def conformance(*subjects: tf.Module) -> Callable:
  """Returns a pytest decorator that runs a test once with each check as its argument `check`."""
  import pytest
  checks = [check for subject in subjects for check in checks_of(subject)]
  return pytest.mark.parametrize('check', checks, ids=[check.name for check in checks])


def instances(cls: type) -> list[tf.Module]:
  """Returns objects of a class to check: one, or one for each of two temperatures it needs."""
  needed = temperature_parameters(cls)
  if not needed:
    return [cls()]
  return [cls(**dict.fromkeys(needed, value)) for value in (.5, 5.)]
