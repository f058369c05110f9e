"""A codec's networks with the way in which their latents are quantized: all that coding needs."""

import tensorflow as tf

from tfusq.models.base import Model
from tfusq.models.gained import GainedModel, Gains, Networks
from tfusq.models.variable_rate import VariableRate
from tfusq.models.visitors import RoundingVisitor


class CentredModel:
  """A model, and which of its latents are quantized zero-centre (Sec. 5.3).

  A latent that is quantized zero-centre becomes `round(y - centre) + centre`, where the entropy
  model gives the centre (a Gaussian its mean); any other becomes `round(y)`. Coding, exporting and
  counting need nothing else of a codec; what training needs beside it is in
  `tfusq.training.codec.Codec`, which holds one of these.

  A codec of variable rate has gains too: its networks are those `at` a quality.

  Attributes:
    model: The networks and entropy models.
    variable_rate: Gains of all qualities; None where the rate is fixed.
    zero_centre: Whether a latent is quantized zero-centre, by its name, in coding order. Only the
      image's own latent can be.
  """

  def __init__(self, model: Model, zero_centre: bool, variable_rate: VariableRate | None = None):
    """Initializer.

    Args:
      model: The networks and entropy models.
      zero_centre: Whether the image's own latent is quantized zero-centre.
      variable_rate: Gains of all qualities; None where the rate is fixed.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if the model can't be quantized zero-centre; says why.
    """
    if not isinstance(model, Model):
      raise TypeError(f'Codec.model must be a Model, not {model!r}')
    if not (variable_rate is None or isinstance(variable_rate, VariableRate)):
      raise TypeError(f'Codec.variable_rate must be a VariableRate or None, not {variable_rate!r}')

    entropy_model = model.entropy_models[model.image_latent]
    if zero_centre and not entropy_model.has_centre():
      raise ValueError(
        f'Codec.zero_centre: {type(entropy_model).__name__} has no centre; use zero_centre = False'
      )
    if zero_centre and model.serial:
      raise ValueError(
        f'Codec.zero_centre: {type(model).__name__} has a serial context, in which centres depend '
        'on each other; use zero_centre = False'
      )

    self.model = model
    self.variable_rate = variable_rate
    self.zero_centre = {
      latent: bool(zero_centre) and latent == model.image_latent for latent in model.entropy_models
    }

  def centre(self, latent: str, parameters: tuple | None) -> tf.Tensor | None:
    """Returns what is subtracted before rounding; None where the latent is rounded as it is.

    Args:
      latent: Name of the latent.
      parameters: Parameters from its entropy model; not used where the latent is rounded as it is.

    Returns:
      A tensor of the shape of the parameters, or None.
    """
    if not self.zero_centre[latent]:
      return None
    return self.model.entropy_models[latent].centre(parameters)

  def create(self, lmbda: float = 1.0) -> None:
    """Creates the variables of all networks, by running them once.

    Args:
      lmbda: Lambda that the networks start for, which gains begin at.
    """
    x = tf.zeros([1, 64, 64, 3])
    visitor = self.rounding_visitor(x)
    self._round_trip(visitor, x)
    if self.variable_rate is not None:
      channels = visitor.latents[self.model.image_latent].shape[-1]
      self.variable_rate.create(channels, lmbda)

  def weights(self) -> dict[str, tf.Module]:
    """Returns what holds the codec's weights, by its name in checkpoints."""
    if self.variable_rate is None:
      return {'model': self.model}
    return {'model': self.model, 'variable_rate': self.variable_rate}

  def variables(self) -> list[tf.Variable]:
    """Returns the variables of the networks and the gains."""
    variables: list[tf.Variable] = []
    for part in self.weights().values():
      variables += part.variables
    return variables

  def encoder_only(self) -> list[tf.keras.layers.Layer]:
    """Returns the layers that decoding does not need."""
    layers = [getattr(self.model, name) for name in self.model.encoder_only]
    if self.variable_rate is not None:
      layers.append(self.variable_rate.gain)
    return layers

  def encoder_variables(self) -> set:
    """Returns references to the variables that decoding does not need."""
    variables: set = set()
    for layer in self.encoder_only():
      variables.update(variable.ref() for variable in layer.variables)
    return variables

  def at(self, gains: Gains | None) -> Networks:
    """Returns the networks at a quality.

    Args:
      gains: Gains of the quality; None for the model as it is, as where the rate is fixed.
    """
    return self.model if gains is None else GainedModel(self.model, gains)

  def round_trip(self, x: tf.Tensor, gains: Gains | None = None) -> tf.Tensor:
    """Returns images reconstructed from their rounded latents.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
      gains: Gains of the images' qualities; None where the rate is fixed.

    Returns:
      Reconstructions, of the same shape.
    """
    return self._round_trip(self.rounding_visitor(x, gains), x)

  def rounding_visitor(self, x: tf.Tensor, gains: Gains | None = None) -> RoundingVisitor:
    """Returns a visitor that rounds the latents of images and estimates their rate.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
      gains: Gains of the images' qualities; None where the rate is fixed.
    """
    networks = self.at(gains)
    return RoundingVisitor(networks, networks.latents(x), self.centre)

  def _round_trip(self, visitor, x):
    batch, height, width = tf.unstack(tf.shape(x))[:3]
    y_hat = visitor.model.walk(visitor, batch, height, width)
    return visitor.model.reconstruct(y_hat, height, width)
