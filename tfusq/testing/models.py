"""Checks of codec models."""

import contextlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfusq.export import bitstream, container
from tfusq.models import CentredModel, Model, Part, Visitor
from tfusq.quantization.estimators import PGE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import AUN
from tfusq.testing.requirements import NonConformance, require
from tfusq.training.codec import Codec
from tfusq.training.summary import watched
from tfusq.transforms import LINEAR, exact

_SIZES = (1, 1), (17, 23), (64, 48)


class Calls(Visitor):
  """Calls a function with each part and its raw parameters, a serial part as a whole.

  Attributes:
    function: Returns the quantized part.
    latents: By name; what a serial context reads.
  """

  def __init__(
    self, function: Callable[[Part, tf.Tensor], tf.Tensor], latents: dict[str, tf.Tensor]
  ):
    self.function = function
    self.latents = latents

  def visit(self, part, raw):
    return self.function(part, raw)

  def visit_serially(self, part, context):
    return self.function(part, context.raw(self.latents[part.latent]))


def _image(height, width, batch=1):
  return tf.random.stateless_uniform([batch, height, width, 3], [height, width])


@contextlib.contextmanager
def _lively(model):
  """Changes the weights for a while, so that latents do not all round to zero."""
  before = [variable.numpy() for variable in model.variables]
  for variable in model.variables:
    variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, [3, 4]))
  try:
    yield
  finally:
    for variable, value in zip(model.variables, before):
      variable.assign(value)


def _parts(model, height, width, batch=1):
  """Returns rounded latents, the parts of a walk with their raw parameters, and its result."""
  latents = {name: tf.round(y) for name, y in model.latents(_image(height, width, batch)).items()}
  return latents, *_walk(model, latents, height, width, batch)


def _walk(model, latents, height, width, batch=1):
  found = []

  def visit(part: Part, raw):
    found.append((part, raw))
    return part.of(latents[part.latent])

  return found, model.walk(Calls(visit, latents), batch, height, width)


def visits_every_component_once(model: Model) -> None:
  """The parts of a walk cover each latent; raw parameters have their shape; `parts` counts them."""
  for height, width in _SIZES:
    latents, found, _ = _parts(model, height, width, batch=2)
    visits = {name: np.zeros(y.shape[1:], int) for name, y in latents.items()}
    for part, raw in found:
      y = part.of(latents[part.latent])
      channels = model.entropy_models[part.latent].channels
      wanted = [*y.shape[:3], channels * y.shape[3]]
      require(
        raw.shape == wanted,
        f'raw parameters of {part.latent} have the shape {raw.shape}, and the part needs {wanted}',
      )
      seen = visits[part.latent]
      places = range(seen.shape[0] * seen.shape[1])
      places = places if part.positions is None else part.positions.numpy()
      seen.reshape(-1, seen.shape[2])[np.ix_(places, np.arange(seen.shape[2])[part.channels])] += 1
    for name, seen in visits.items():
      require(
        (seen == 1).all(),
        f'at {height}x{width}, {(seen != 1).sum()} of {seen.size} '
        f'components of {name} are not visited once',
      )
    conditioned = sum(model.entropy_models[part.latent].channels > 0 for part, _ in found)
    require(
      conditioned == model.parts,
      f'{conditioned} parts are conditioned, and `parts` is {model.parts}',
    )


def reconstructs_the_size(model: Model) -> None:
  """What is reconstructed has the image's shape, from 1x1 on."""
  for height, width in _SIZES:
    _, _, y_hat = _parts(model, height, width, batch=2)
    shape = model.reconstruct(y_hat, height, width).shape
    require(
      shape == [2, height, width, 3],
      f'the reconstruction of [2, {height}, {width}, 3] has the shape {shape}',
    )


def trains_every_variable(model: Model) -> None:
  """The gradient of rate and distortion, with noise, reaches every variable."""
  noise = Quantizer(AUN(), PGE())
  codec = Codec(model, noise, noise, noise, noise, lmbda=1.0, zero_centre=False)
  codec.create()
  with tf.GradientTape() as tape:
    figures = codec.soft(_image(64, 64), tf.zeros([1], tf.int64))
    loss = figures.bpp + figures.mse
  variables = codec.trainable_variables
  dead = [
    variable.name
    for variable, gradient in zip(variables, tape.gradient(loss, variables))
    if gradient is None or not np.any(gradient)
  ]
  require(not dead, f'{len(dead)} of {len(variables)} variables get no gradient: {dead[:3]}')


def decodes_what_it_encodes(model: Model) -> None:
  """The decoder's latent is the encoder's, bit for bit, in every way to quantize."""
  admits_zero_centre = model.entropy_models[model.image_latent].has_centre() and not model.serial
  for zero_centre in (False, True) if admits_zero_centre else (False,):
    centred_model = CentredModel(model, zero_centre)
    centred_model.create()
    with _lively(model):
      _require_decoded(centred_model)


def _require_decoded(centred_model):
  coders = bitstream.make_coders(centred_model)
  identity = bytes(container.IDENTITY_BYTES)
  for height, width in _SIZES:
    image = tf.cast(255 * _image(height, width)[0], tf.uint8)
    encoded = bitstream.encode(centred_model, coders, identity, image)
    y_hat = encoded.y_hat
    try:
      decoded, *size = bitstream.decode(centred_model, coders, identity, encoded.data)
    except tf.errors.InvalidArgumentError as error:
      raise NonConformance(
        f'at {height}x{width} the file is refused: {error.message[:200]}'
      ) from error
    require([int(side) for side in size] == [height, width], f'the size comes back as {size}')
    apart = int(np.sum(decoded.numpy() != y_hat.numpy()))
    require(
      not apart,
      f'at {height}x{width}, {apart} of {tf.size(y_hat)} components are decoded to other values',
    )


def parameters_are_exact(model: Model) -> None:
  """What is weighed in a walk is weighed in exact arithmetic, near the floats, on its grid."""
  CentredModel(model, zero_centre=False).create()
  foreign = set()
  others = [
    layer
    for layer in model.submodules
    if isinstance(layer, tf.keras.layers.Layer)
    and layer.variables
    and not isinstance(layer, LINEAR)
    and not any(isinstance(part, LINEAR) for part in layer.submodules)
  ]
  with _lively(model):
    latents, floats, _ = _parts(model, 64, 48)
    with exact.arithmetic(), watched(others, lambda layer, *_: foreign.add(layer.name)):
      found = _walk(model, latents, 64, 48)[0]
  require(
    not foreign,
    f'{len(foreign)} layers with weights compute in floats in the walk, '
    f'{sorted(foreign)[:3]}: use those of tfusq.transforms',
  )
  for (part, raw), (_, near) in zip(found, floats):
    steps = raw.numpy().astype(np.float64) * exact.ACTIVATION_STEPS
    off = int((steps != np.round(steps)).sum())
    require(
      not off,
      f'{off} of {steps.size} raw parameters of {part.latent} are no multiples of '
      f'1 / {exact.ACTIVATION_STEPS}: use the layers of tfusq.transforms in the walk',
    )
    apart = np.max(np.abs(raw - near), initial=0) / (1 + np.std(near)) if steps.size else 0
    require(
      apart < 0.05,
      f'raw parameters of {part.latent} in exact arithmetic are {apart:.3g} '
      'deviations from those in floats',
    )


model_checks = [
  visits_every_component_once,
  reconstructs_the_size,
  trains_every_variable,
  decodes_what_it_encodes,
  parameters_are_exact,
]
