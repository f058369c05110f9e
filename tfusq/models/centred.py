"""A codec's networks with the way in which their latents are quantized: all that coding needs."""

import tensorflow as tf

from tfusq.models.base import Model
from tfusq.models.visitors import RoundingVisitor


class CentredModel:
  """A model, and which of its latents are quantized zero-centre (Sec. 5.3).

  A latent that is quantized zero-centre becomes `round(y - centre) + centre`, where the entropy
  model gives the centre (a Gaussian its mean); any other becomes `round(y)`. Coding, exporting and
  counting need nothing else of a codec; what training needs beside it is in
  `tfusq.training.codec.Codec`, which holds one of these.

  Attributes:
    model: The networks and entropy models.
    zero_centre: Whether a latent is quantized zero-centre, by its name, in coding order. Only the
      image's own latent can be.
  """

  def __init__(self, model: Model, zero_centre: bool):
    """Initializer.

    Args:
      model: The networks and entropy models.
      zero_centre: Whether the image's own latent is quantized zero-centre.

    Raises:
      TypeError: if `model` is not a `Model`.
      ValueError: if the model can't be quantized zero-centre; says why.
    """
    if not isinstance(model, Model):
      raise TypeError(f'Codec.model must be a Model, not {model!r}')

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

  def create(self) -> None:
    """Creates the variables of all networks, by running them once."""
    self.round_trip(tf.zeros([1, 64, 64, 3]))

  def round_trip(self, x: tf.Tensor) -> tf.Tensor:
    """Returns images reconstructed from their rounded latents.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.

    Returns:
      Reconstructions, of the same shape.
    """
    batch, height, width = tf.unstack(tf.shape(x))[:3]
    y_hat = self.model.walk(self.rounding_visitor(x), batch, height, width)
    return self.model.reconstruct(y_hat, height, width)

  def rounding_visitor(self, x: tf.Tensor) -> RoundingVisitor:
    """Returns a visitor that rounds the latents of images and estimates their rate.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
    """
    return RoundingVisitor(self.model, x, self.centre)
