"""Analysis and synthesis of one picture of any size, a tile at a time."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfusq.models.base import Model
from tfusq.models.gained import GainedModel, Gains
from tfusq.transforms import tiling
from tfusq.transforms.pixels import from_uint8, to_uint8
from tfusq.transforms.tiling import Reach

# Sides of a tile in pixels, and in positions of a latent that is analysed further. The networks
# take some hundred bytes a pixel, and a few thousand bytes a position.
SIDE = 1536
LATENT_SIDE = 384


# Attribute of a model that holds its reaches once they are known.
_REACHES = '_tile_reaches'


@dataclasses.dataclass(frozen=True)
class _Reaches:
  """How far a model's networks see.

  Attributes:
    stages: Reach of each stage of the analysis; none, where a network sees everything.
    synthesis: Reach of the synthesis; None, where a network sees everything.
    factor: Pixels on each side to a position of the image's own latent.
  """

  stages: tuple[Reach, ...] = ()
  synthesis: Reach | None = None
  factor: int = 1


def are_possible(model: Model) -> bool:
  """Returns whether a model's pictures can be analysed and reconstructed in tiles.

  Args:
    model: Model whose variables exist.
  """
  return _reaches(model).synthesis is not None


def first_latents(model: Model, image: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns what the first stage of the analysis makes of a picture, at every quality.

  The latents of a picture that is larger than a tile are what `model.latents` gives, but for sums
  of floats in another order.

  Args:
    model: Model whose variables exist.
    image: `uint8[height, width, 3]`.

  Returns:
    `float32[1, latent height, latent width, channels]`, by the latents' names.
  """
  x = image[None]
  stage, cell = model.analysis_stages()[0]
  if tiling.is_small(x, SIDE) or not are_possible(model):
    return stage(from_uint8(x))
  return tiling.run(_of_pixels(stage), x, _reaches(model).stages[0], max(SIDE // cell, 1))


def all_latents(
  model: Model, first: dict[str, tf.Tensor], gains: Gains | None = None
) -> dict[str, tf.Tensor]:
  """Returns the real-valued latents of a picture at a quality, ready to be quantized.

  Args:
    model: Model whose variables exist.
    first: Latents from `first_latents`.
    gains: Gains of the quality; None where the rate is fixed.

  Returns:
    `float32[1, latent height, latent width, channels]`, by the latents' names.
  """
  networks = model if gains is None else GainedModel(model, gains)
  found = first if gains is None else networks.with_gain(first)
  *_, x = found.values()
  for number, (stage, cell) in enumerate(networks.analysis_stages()[1:], 1):
    if tiling.is_small(x, LATENT_SIDE) or not are_possible(model):
      outputs = stage(x)
    else:
      reach = _reaches(model).stages[number]
      outputs = tiling.run(stage, x, reach, max(LATENT_SIDE // cell, 1))
    *_, x = outputs.values()
    found = found | outputs
  return found


def latents(model: Model, image: tf.Tensor, gains: Gains | None = None) -> dict[str, tf.Tensor]:
  """Returns the real-valued latents of a picture, as `all_latents` does of its first ones.

  Args:
    model: Model whose variables exist.
    image: `uint8[height, width, 3]`.
    gains: Gains of a quality; None where the rate is fixed.
  """
  return all_latents(model, first_latents(model, image), gains)


def reconstruct(model: Model, y_hat: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
  """Returns a picture from its quantized latent.

  Few pixels of a picture that is larger than a tile differ, by 1, from those of
  `model.reconstruct`.

  Args:
    model: Model whose variables exist.
    y_hat: Quantized latent of one picture, from the model's walk.
    height: Height of the picture in pixels, a scalar `int32`.
    width: Width of the picture in pixels, a scalar `int32`.

  Returns:
    `uint8[height, width, 3]`.
  """
  if _are_small(height, width) or not are_possible(model):
    return to_uint8(model.reconstruct(y_hat, height, width)[0])

  reaches = _reaches(model)
  synthesize = _synthesis(model, reaches.factor)
  x = tiling.run(
    lambda y: to_uint8(synthesize(y)),
    y_hat,
    reaches.synthesis,
    max(SIDE // reaches.factor, 1),
    tf.uint8,
    (height, width),
  )
  return x[0]


def _are_small(height: tf.Tensor, width: tf.Tensor) -> bool:
  """Returns whether a picture is known to fit into one tile."""
  known = [tf.get_static_value(size) for size in (height, width)]
  return None not in known and known[0] * known[1] <= SIDE**2


def _of_pixels(stage: Callable[[tf.Tensor], Any]) -> Callable[[tf.Tensor], Any]:
  return lambda image: stage(from_uint8(image))


def _synthesis(model: Model, factor: int) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns the function from a quantized latent to all the pixels of its positions."""

  def synthesize(y_hat):
    height, width = tf.unstack(tf.shape(y_hat)[1:3])
    return model.reconstruct(y_hat, factor * height, factor * width)

  return synthesize


def _reaches(model: Model) -> _Reaches:
  """Returns how far a model's networks see, which is found once."""
  if not hasattr(model, _REACHES):
    setattr(model, _REACHES, _find_reaches(model))
  return getattr(model, _REACHES)


def _find_reaches(model: Model) -> _Reaches:
  """Finds how far a model's networks see, in eager execution."""
  stages: list[Reach] = []
  outputs: dict[str, tiling.Output] = {}
  channels = 3
  for stage, cell in model.analysis_stages():
    reach = tiling.find_reach(stage, channels, cell)
    if reach is None:
      return _Reaches()
    stages.append(reach)
    outputs |= reach.outputs
    channels = list(reach.outputs.values())[-1].channels

  latent = outputs[model.image_latent]
  factor = stages[0].cell // latent.positions
  synthesis = tiling.find_reach(_synthesis(model, factor), latent.channels, 1)
  return _Reaches(tuple(stages), synthesis, factor)
