"""Checks of codec models."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfusq.export import bitstream
from tfusq.export.saving import nodes_of
from tfusq.models import CentredModel, Model, Part, Visitor, tracing
from tfusq.models.wavefront import Serial
from tfusq.quantization.estimators import PGE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import AUN
from tfusq.testing.requirements import (
  NonConformance,
  NotApplicable,
  require,
  require_gradients,
  require_repeatable_start,
)
from tfusq.training.codec import Codec
from tfusq.transforms import exact

# Height and width: the least image, one whose sides are multiples of nothing, and one without
# padding in the image's latent.
_SIZES = ((1, 1), (17, 23), (64, 48))

# Each part of a walk with its raw parameters.
Visits = list[tuple[Part, tf.Tensor]]


class Calls(Visitor):
  """Calls a function with each part and its raw parameters; a serial part is one call.

  Attributes:
    function: Function of a part and its raw parameters that returns the quantized part.
    latents: Quantized latents by name, `[batch, height, width, channels]`, which a serial context
      reads.
  """

  def __init__(
    self, function: Callable[[Part, tf.Tensor], tf.Tensor], latents: dict[str, tf.Tensor]
  ):
    self.function = function
    self.latents = latents

  def visit(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    return self.function(part, raw)

  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    return self.function(part, context.raw(self.latents[part.latent]))


def _images(height: int, width: int, batch: int = 1) -> tf.Tensor:
  return tf.random.stateless_uniform([batch, height, width, 3], [height, width])


@contextlib.contextmanager
def _perturbed(model: Model) -> Iterator[None]:
  """Changes the weights for a while, so that latents do not all round to zero."""
  before = [variable.numpy() for variable in model.variables]
  for variable in model.variables:
    variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, [3, 4]))
  try:
    yield
  finally:
    for variable, value in zip(model.variables, before):
      variable.assign(value)


def _rounded_latents(model: Model, height: int, width: int, batch: int = 1) -> dict[str, tf.Tensor]:
  latents = model.latents(_images(height, width, batch))
  return {name: tf.round(y) for name, y in latents.items()}


def _walk(
  model: Model, latents: dict[str, tf.Tensor], height: int, width: int, batch: int = 1
) -> tuple[Visits, tf.Tensor]:
  """Walks a model whose quantized latents are given.

  Args:
    model: Codec model.
    latents: Quantized latents by name.
    height: Height of the images, in pixels.
    width: Width of the images.
    batch: Number of images.

  Returns:
    The visits in order, and the latent that `Model.reconstruct` takes.
  """
  visits: Visits = []

  def visit(part: Part, raw: tf.Tensor) -> tf.Tensor:
    visits.append((part, raw))
    return part.of(latents[part.latent])

  y_hat = model.walk(Calls(visit, latents), batch, height, width)
  return visits, y_hat


def visits_every_component_once(model: Model) -> None:
  """The parts of a walk cover each latent; raw parameters have their shape; `parts` counts them."""
  for height, width in _SIZES:
    latents = _rounded_latents(model, height, width, batch=2)
    visits, _ = _walk(model, latents, height, width, batch=2)
    counts = {name: np.zeros(y.shape[1:], int) for name, y in latents.items()}
    for part, raw in visits:
      _require_raw_shape(model, part, raw, latents[part.latent])
      _count(part, counts[part.latent])

    for name, count in counts.items():
      require(
        (count == 1).all(),
        f'at {height}x{width}, {(count != 1).sum()} of {count.size} '
        f'components of {name} are not visited once',
      )

    conditioned = sum(model.entropy_models[part.latent].channels > 0 for part, _ in visits)
    require(
      conditioned == model.parts,
      f'{conditioned} parts are conditioned, and `parts` is {model.parts}',
    )


def _require_raw_shape(model: Model, part: Part, raw: tf.Tensor, latent: tf.Tensor) -> None:
  """Requires as many raw parameters at each position as the entropy model takes."""
  shape = part.of(latent).shape
  channels = model.entropy_models[part.latent].channels
  expected = [*shape[:3], channels * shape[3]]
  require(
    raw.shape == expected,
    f'raw parameters of {part.latent} have the shape {raw.shape}, and the part needs {expected}',
  )


def _count(part: Part, count: np.ndarray) -> None:
  """Adds 1 to a part's components in the `[height, width, channels]` counts of its latent."""
  height, width, channels = count.shape
  if part.positions is None:
    positions = np.arange(height * width)
  else:
    positions = part.positions.numpy()

  # A view: adding to it adds to `count`.
  by_position = count.reshape(-1, channels)
  by_position[np.ix_(positions, np.arange(channels)[part.channels])] += 1


def reconstructs_the_size(model: Model) -> None:
  """The reconstruction has the shape of the images, from 1x1 on."""
  for height, width in _SIZES:
    latents = _rounded_latents(model, height, width, batch=2)
    _, y_hat = _walk(model, latents, height, width, batch=2)
    shape = model.reconstruct(y_hat, height, width).shape
    require(
      shape == [2, height, width, 3],
      f'the reconstruction of [2, {height}, {width}, 3] has the shape {shape}',
    )


def analyses_in_stages(model: Model) -> None:
  """The stages of the analysis, which coding runs, together give the latents."""
  for height, width in _SIZES:
    x = _images(height, width)
    latents = model.latents(x)
    found: dict[str, tf.Tensor] = {}
    for stage, _ in model.analysis_stages():
      outputs = stage(x)
      *_, x = outputs.values()
      found |= outputs

    require(
      sorted(found) == sorted(latents),
      f'the stages of the analysis give {sorted(found)}, and `latents` {sorted(latents)}',
    )
    for name, y in latents.items():
      require(
        found[name].shape == y.shape and np.allclose(found[name], y, rtol=1e-4, atol=1e-5),
        f'at {height}x{width}, the stages of the analysis give another {name} than `latents`',
      )


def trains_every_variable(model: Model) -> None:
  """The gradient of rate and distortion, with noise, reaches every variable."""
  noise = Quantizer(AUN(), PGE())
  codec = Codec(model, noise, noise, noise, noise, lmbda=1.0, zero_centre=False)
  codec.create()

  def loss():
    rate_distortion = codec.soft(_images(64, 64), tf.zeros([1], tf.int64))
    return rate_distortion.bpp + rate_distortion.mse

  require_gradients(loss, codec.trainable_variables)


def starts_from_data(model: Model) -> None:
  """A start from images gives finite variables, the same where it is repeated."""
  if type(model).initialize_from_data is Model.initialize_from_data:
    raise NotApplicable('it does not start from data')
  CentredModel(model, zero_centre=False).create()
  initial = [variable.numpy() for variable in model.variables]
  images = _images(64, 64, batch=2).numpy()

  require_repeatable_start(lambda: model.initialize_from_data(images), model.variables)
  for variable, value in zip(model.variables, initial, strict=True):
    variable.assign(value)


def decodes_what_it_encodes(model: Model) -> None:
  """The decoder's latent is the encoder's, bit for bit, with each centring that is admitted."""
  entropy_model = model.entropy_models[model.image_latent]
  admits_zero_centre = entropy_model.has_centre() and not model.serial
  for zero_centre in (False, True) if admits_zero_centre else (False,):
    centred_model = CentredModel(model, zero_centre)
    centred_model.create()
    with _perturbed(model):
      _require_decoding(centred_model)


def _require_decoding(centred_model: CentredModel) -> None:
  """Requires that files of images of every size decode to the encoder's latent."""
  coding = bitstream.make_coding(centred_model)
  for height, width in _SIZES:
    image = tf.cast(255 * _images(height, width)[0], tf.uint8)
    encoded = bitstream.encode(coding, image)
    try:
      decoded, *size = bitstream.decode(coding, encoded.data)
    except tf.errors.InvalidArgumentError as error:
      raise NonConformance(
        f'at {height}x{width} the file is refused: {error.message[:200]}'
      ) from error

    require([int(side) for side in size] == [height, width], f'the size comes back as {size}')
    wrong = np.count_nonzero(decoded.numpy() != encoded.y_hat.numpy())
    require(
      not wrong,
      f'at {height}x{width}, {wrong} of {decoded.numpy().size} components are decoded to other '
      'values',
    )


def parameters_are_exact(model: Model) -> None:
  """What sums or approximates in a walk does so in exact arithmetic, and comes near the floats."""
  CentredModel(model, zero_centre=False).create()
  with _perturbed(model):
    latents = _rounded_latents(model, 64, 48)
    float_visits, _ = _walk(model, latents, 64, 48)
    with exact.arithmetic():
      exact_visits, _ = _walk(model, latents, 64, 48)
    inexact = _inexact_operations(model, latents, 64, 48)

  require(
    not inexact,
    f'{len(inexact)} operations of the walk give other results on other machines, '
    f'{inexact[:3]}: use the layers of tfusq.transforms there',
  )
  for (part, raw), (_, float_raw) in zip(exact_visits, float_visits):
    _require_near(part, raw.numpy(), float_raw.numpy())


# Operations whose results IEEE 754 does not define for floats: sums, and functions that are
# approximated.
_INEXACT = """
  AddN AvgPool BatchMatMul BatchMatMulV2 BatchMatMulV3 Conv2D Conv2DBackpropInput Conv3D Cos Cosh
  Cumsum DepthwiseConv2dNative Einsum Elu Erf Erfc Exp Expm1 FusedBatchNormV3 Lgamma Log Log1p
  LogSoftmax LRN MatMul Mean Ndtri Pow Prod Reciprocal Rsqrt SegmentSum Selu Sigmoid Sin Sinh
  Softmax Softplus Softsign Sum Tan Tanh UnsortedSegmentSum
"""


def _inexact_operations(
  model: Model, latents: dict[str, tf.Tensor], height: int, width: int
) -> list[str]:
  """Returns the names of a walk's operations that are inexact for floats, in no exact scope."""

  def walk() -> None:
    with exact.arithmetic():
      _walk(model, latents, height, width)

  traced = tf.function(walk, autograph=tracing.needs_autograph((model, *model.submodules)))
  graph = traced.get_concrete_function().graph.as_graph_def()
  inexact = frozenset(_INEXACT.split())
  names = []
  for node in nodes_of(graph):
    is_float = node.attr['T'].type in (tf.float16, tf.bfloat16, tf.float32, tf.float64)
    if node.op in inexact and is_float and exact.SCOPE not in node.name:
      names.append(node.name)
  return sorted(names)


def _require_near(part: Part, raw: np.ndarray, float_raw: np.ndarray) -> None:
  """Requires that raw parameters of exact arithmetic are near those in floats."""
  if not raw.size:
    return
  error = np.max(np.abs(raw - float_raw)) / (1 + np.std(float_raw))
  require(
    error < 0.05,
    f'raw parameters of {part.latent} in exact arithmetic are {error:.3g} '
    'deviations from those in floats',
  )


model_checks = [
  visits_every_component_once,
  reconstructs_the_size,
  analyses_in_stages,
  trains_every_variable,
  starts_from_data,
  decodes_what_it_encodes,
  parameters_are_exact,
]
