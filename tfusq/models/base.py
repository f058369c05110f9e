"""The networks of a codec, and the walk through their latents."""

import abc
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import start
from tfusq.models.start import RawLayers
from tfusq.models.wavefront import Serial
from tfusq.transforms import Transforms

# Pixels of the image to a position of y on each side, and positions of y to one of z.
_STRIDE = 16
_HYPER_STRIDE = 4
# The same for a model of which nothing else is known: the product.
_ANY_STRIDE = _STRIDE * _HYPER_STRIDE

# A function from an image or a latent to latents by name, and the number of positions on each side
# that become one position of its coarsest output.
Stage: TypeAlias = tuple[Callable[[tf.Tensor], dict[str, tf.Tensor]], int]


class Part(NamedTuple):
  """A piece of a latent that is coded at once.

  Attributes:
    latent: Name of the latent.
    channels: Channels of the latent that the part has.
    positions: Positions that the part has, `int32[n]`, in raster order; None for all of them.
  """

  latent: str
  channels: slice = slice(None)
  positions: tf.Tensor | None = None

  def of(self, latent: tf.Tensor) -> tf.Tensor:
    """Returns the part of a tensor that is shaped as the whole latent.

    Args:
      latent: `[batch, height, width, channels]`.

    Returns:
      `[batch, height, width, channels]` with all positions, or `[batch, n, 1, channels]`.
    """
    return self.at_positions(latent[..., self.channels])

  def at_positions(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the part's positions of a tensor, with all channels that the tensor has.

    Args:
      x: `[batch, height, width, channels]`, with the height and width of the latent.

    Returns:
      `[batch, height, width, channels]` with all positions, or `[batch, n, 1, channels]`.
    """
    if self.positions is None:
      return x
    batch, height, width, channels = transforms.sizes(x)
    x = tf.reshape(x, [batch, height * width, 1, channels])
    return tf.gather(x, self.positions, axis=1)


class Visitor(abc.ABC):
  """Receives each part of a walk: to train, estimate, encode or decode it.

  The return value of a visit is all that later parts and the reconstruction know of the part.
  """

  @abc.abstractmethod
  def visit(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    """Visits a part whose raw parameters depend on parts before it.

    Args:
      part: The part to visit.
      raw: Network output for the entropy model, of the shape of `part.of`, with the entropy model's
        number of outputs for each channel.

    Returns:
      The quantized part, of the shape of `part.of`.
    """

  @abc.abstractmethod
  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    """Visits a part in which each position depends on the positions before it.

    Args:
      part: The part to visit; it has all positions.
      context: Serial context that computes the raw parameters.

    Returns:
      The quantized part, `[batch, height, width, channels]`.
    """


class Model(tf.keras.layers.Layer, metaclass=abc.ABCMeta):
  """Networks of a codec: the base class of the group `tfusq.models`.

  A subclass sets the attributes `entropy_models`, `parts` and `encoder_only`, and `serial` where it
  has a serial context; it defines `latents`, `walk` and `reconstruct`. It keeps that

  * `walk` visits every component of every latent once, in coding order;
  * it computes all that decides a table index in `walk`, by the layers of `tfusq.transforms`, which
    are exact there in an exported codec, and by single operations that IEEE 754 defines;
  * images of any size are reconstructed in their size.

  Attributes:
    entropy_models: Entropy model of each latent by name, in coding order. The last is the image's
      own, and the one that may be quantized zero-centre.
    parts: Number of parts that `walk` visits whose table indexes a network decides.
    encoder_only: Names of the sub-networks that decoding does not need: the post stage freezes
      them, and a codec's identity leaves them out.
    serial: Whether positions of the last latent depend on other positions of it, so that it can't
      be quantized around a centre that depends on them.
  """

  entropy_models: dict[str, EntropyModel]
  parts: int
  encoder_only: tuple[str, ...]
  serial = False

  @property
  def image_latent(self) -> str:
    """Name of the image's own latent, the last in coding order."""
    return list(self.entropy_models)[-1]

  def networks(self) -> dict[str, list[tf.keras.layers.Layer]]:
    """Returns the layers in each public attribute that holds layers alone, by its name."""
    networks = {}
    for name, value in vars(self).items():
      layers = _as_list(value)
      are_layers = all(isinstance(layer, tf.keras.layers.Layer) for layer in layers)
      if layers and are_layers and not name.startswith('_'):
        networks[name] = layers
    return networks

  @abc.abstractmethod
  def latents(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the real-valued latents by name.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.

    Returns:
      `[batch, latent height, latent width, channels]` each, float.
    """

  def analysis_stages(self) -> list[Stage]:
    """Returns the functions of which `latents` consists, each of the last output of the one before.

    Large pictures are analysed in tiles, stage by stage. With fewer layers to a stage, less is
    computed twice where tiles overlap.
    """
    return [(self.latents, _ANY_STRIDE)]

  @abc.abstractmethod
  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    """Visits every part in coding order.

    Training, estimating, encoding and decoding are visitors of this one walk. Everything that
    decides a table index is computed in it, by the layers of `tfusq.transforms`, which are exact
    there in an exported codec, and by single operations that IEEE 754 defines. With others, files
    may be refused on another machine than the one that wrote them.

    Args:
      visitor: The visitor that each part is passed to.
      batch: Number of images, a scalar `int32`.
      height: Height of the images in pixels, a scalar `int32`.
      width: Width of the images in pixels, a scalar `int32`.

    Returns:
      The quantized latent that `reconstruct` takes.
    """

  @abc.abstractmethod
  def reconstruct(self, y_hat: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns images from their quantized latent.

    Args:
      y_hat: Quantized latent from `walk`.
      height: Height of the images in pixels, a scalar `int32`.
      width: Width of the images in pixels, a scalar `int32`.

    Returns:
      `[batch, height, width, 3]`, float, nominally 0 to 1.
    """

  def initialize_from_data(self, x: np.ndarray) -> None:
    """Sets variables to where training starts, from training images; by default, none.

    `train` calls it before the first step of a new run, where `train.initialization_patches` is not
    0. The values are those that the images alone decide: a second call gives the same ones.

    Args:
      x: Images, `float32[batch, height, width, 3]`, 0 to 1.
    """


def _as_list(value: object) -> list:
  """Returns the elements of an attribute; Keras has wrapped its lists and dicts."""
  if isinstance(value, dict):
    return list(value.values())
  if isinstance(value, (list, tuple)):
    return list(value)
  return [value]


class Hyperprior(Model):
  """Base of the models of a latent y and one hyperlatent z.

  A subclass sets `hyper_analysis` and the networks from z to the parameters of y, and defines
  `walk`, and `raw_layers` where its scales are to start from data.

  Attributes:
    analysis: Image to latent y.
    synthesis: Quantized latent to image.
    hyper_analysis: Latent to hyperlatent z; a subclass sets it.
  """

  encoder_only = ('analysis', 'hyper_analysis')

  def __init__(
    self,
    name: str,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int,
    latent_channels: int,
    analysis: Transforms,
    synthesis: Transforms,
  ):
    """Initializer.

    Args:
      name: Name of the Keras layer.
      entropy_model: Entropy model of the latent y, conditioned on z.
      hyper_entropy_model: Entropy model of the hyperlatent z, an unconditional one.
      filters: Width N of the transforms, and channels of z.
      latent_channels: M, the channels of y.
      analysis: Transforms of which the analysis is used.
      synthesis: Transforms of which the synthesis is used.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
    super().__init__(name=name)
    self._check_types(entropy_model, hyper_entropy_model, analysis, synthesis)
    self._check_size('filters', filters)
    self._check_size('latent_channels', latent_channels)
    self._check_conditions(entropy_model, hyper_entropy_model)

    # Checkpoints, and so the order in which variables are created, depend on the order here.
    self.analysis = analysis.analysis(filters, latent_channels)
    self.synthesis = synthesis.synthesis(filters, latent_channels)
    self.entropy_models = {'z': hyper_entropy_model, 'y': entropy_model}
    hyper_entropy_model.build(filters)
    entropy_model.build(latent_channels)

  def latents(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
    latents = self._latent(x)
    return self._hyperlatent(latents['y']) | latents

  def analysis_stages(self) -> list[Stage]:
    return [(self._latent, _STRIDE), (self._hyperlatent, _HYPER_STRIDE)]

  def _latent(self, x):
    return {'y': self.analysis(transforms.pad_to_multiple(x, _STRIDE))}

  def _hyperlatent(self, y):
    companded = getattr(self.analysis, 'companded', tf.identity)(y)
    return {'z': self.hyper_analysis(transforms.pad_to_multiple(companded, _HYPER_STRIDE))}

  def visit_hyperlatent(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Visits the hyperlatent z.

    Args:
      visitor: The visitor that z is passed to.
      batch: Number of images, a scalar `int32`.
      height: Height of the images in pixels, a scalar `int32`.
      width: Width of the images in pixels, a scalar `int32`.

    Returns:
      The quantized z, and the height and width of the latent y.
    """
    height = transforms.ceil_div(height, _STRIDE)
    width = transforms.ceil_div(width, _STRIDE)
    hyper_height = transforms.ceil_div(height, _HYPER_STRIDE)
    hyper_width = transforms.ceil_div(width, _HYPER_STRIDE)

    unconditional = tf.zeros([batch, hyper_height, hyper_width, 0])
    return visitor.visit(Part('z'), unconditional), height, width

  def reconstruct(self, y_hat: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    return self.synthesis(y_hat)[:, :height, :width]

  def initialize_from_data(self, x: np.ndarray) -> None:
    """Starts transforms that start from data, and entropy models at the latents' magnitudes.

    The raw parameters then are the same everywhere, as in Glow, whose networks end with zeros.

    Args:
      x: Images, `float32[batch, height, width, 3]`, 0 to 1.

    #### References
    Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, 2018, Sec. 3.1 and
    3.3. https://arxiv.org/abs/1807.03039
    """
    start.initialize_from_data(self, x)

  def raw_layers(self) -> list[RawLayers]:
    """Returns the last layers before the raw parameters of y; by default, none is known."""
    return []

  def _check_types(self, entropy_model, hyper_entropy_model, analysis, synthesis):
    label = type(self).__name__
    entropy_models = {'entropy_model': entropy_model, 'hyper_entropy_model': hyper_entropy_model}
    for argument, value in entropy_models.items():
      if not isinstance(value, EntropyModel):
        raise TypeError(f'{label}.{argument} must be an EntropyModel, not {value!r}')
    for argument, value in {'analysis': analysis, 'synthesis': synthesis}.items():
      if not isinstance(value, Transforms):
        raise TypeError(f'{label}.{argument} must be Transforms, not {value!r}')

  def _check_size(self, argument, size):
    if not (isinstance(size, int) and size > 0):
      raise ValueError(f'{type(self).__name__}.{argument} must be a positive integer, not {size!r}')

  def _check_conditions(self, entropy_model, hyper_entropy_model):
    label = type(self).__name__
    if hyper_entropy_model.channels:
      raise ValueError(
        f'{label}.hyper_entropy_model is conditioned on nothing; '
        f'{type(hyper_entropy_model).__name__} needs parameters'
      )
    if not entropy_model.channels:
      raise ValueError(
        f'{label}.entropy_model is conditioned on z; '
        f'{type(entropy_model).__name__} takes no parameters'
      )
