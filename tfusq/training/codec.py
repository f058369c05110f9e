"""A codec in training: R + lambda D, one training step for the joint and the post stage (Eq. 5)."""

from typing import NamedTuple

import tensorflow as tf

from tfusq.models import Model, Part
from tfusq.quantization.estimators import Undefined
from tfusq.quantization.quantizer import Quantizer
from tfusq.training.visitors import Forward, Hard, Soft


class RateDistortion(NamedTuple):
  """One batch's figures.

  Attributes:
    bpp: Scalar: bits of all latents per pixel.
    mse: Scalar: mean squared error of images from 0 to 1.
    reconstruction: `[batch, height, width, 3]`.
  """

  bpp: tf.Tensor
  mse: tf.Tensor
  reconstruction: tf.Tensor


class Codec(tf.keras.Model):
  """Trains a model with one quantizer for the rate and one for the distortion.

  The loss of a batch is

      bits = rate.evaluate(-log2 P, y, u, offset)       Eq. (24)
      y_tilde = distortion(y, u, offset)                 Q(y - sg(mu)) + sg(mu), Sec. 5.3
      loss = bits / pixels + lmbda 255^2 MSE(x, g_s(y_tilde))

  with `offset = sg(centre)` for zero-centre quantization, by default, and none else. Both terms see
  the same noise. The hyperlatent has quantizers of its own and is not quantized zero-centre.
  Contexts and the hyper synthesis read the distortion's latent.
  """

  def __init__(
    self,
    model: Model,
    rate: Quantizer,
    distortion: Quantizer,
    hyper_rate: Quantizer,
    hyper_distortion: Quantizer,
    lmbda: float,
    zero_centre: bool,
    train_encoder: bool = True,
    seed: int = 0,
    stop_offset_in_rate: bool = True,
    stop_offset_in_distortion: bool = True,
  ):
    """Initializer.

    Args:
      model: The networks.
      rate: Stands in for rounding the latent in the rate.
      distortion: Stands in for rounding the latent in the distortion.
      hyper_rate: As `rate`, for the other latents.
      hyper_distortion: As `distortion`, for the other latents.
      lmbda: Weight of the distortion, in bits per pixel for each 255^2 MSE.
      zero_centre: Whether the latent is quantized around its centre.
      train_encoder: False in the post stage: the networks that decoding does not need are frozen.
      seed: Of the noise.
      stop_offset_in_rate: Whether the rate's gradient stops at the quantization offset, which
        leaves the centre its gradient through the density (reading A of the partial
        stop-gradient); False lets it pass there too (reading B).
      stop_offset_in_distortion: Whether the distortion's does, as the partial stop-gradient has it
        in either reading.

    Raises:
      Undefined: if a distortion's estimator is defined for elementwise losses only.
      ValueError: if an argument is out of range, or the model can't be quantized zero-centre.
    """
    super().__init__(name='codec')
    if not isinstance(model, Model):
      raise TypeError(f'Codec.model must be a Model, not {model!r}')
    for name, quantizer in {
      'rate': rate,
      'distortion': distortion,
      'hyper_rate': hyper_rate,
      'hyper_distortion': hyper_distortion,
    }.items():
      if not isinstance(quantizer, Quantizer):
        raise TypeError(f'Codec.{name} must be a Quantizer, not {quantizer!r}')
    for name, quantizer in (('distortion', distortion), ('hyper_distortion', hyper_distortion)):
      if quantizer.estimator.elementwise:
        raise Undefined(
          f'Codec.{name}: {type(quantizer.estimator).__name__} is defined for elementwise '
          'losses (the rate) only, and the distortion mixes the components of the latent: use '
          'PGE or STE'
        )
    if not lmbda > 0:
      raise ValueError(f'Codec.lmbda must be positive, not {lmbda}')
    *_, own = model.entropy_models
    if zero_centre and not model.entropy_models[own].has_centre():
      raise ValueError(
        f'Codec.zero_centre: {type(model.entropy_models[own]).__name__} has no '
        'centre; use zero_centre = False'
      )
    if zero_centre and model.serial:
      raise ValueError(
        f'Codec.zero_centre: {type(model).__name__} has a serial context, in which '
        'centres depend on each other; use zero_centre = False'
      )
    self.model = model
    self.quantizers = {
      name: (rate, distortion) if name == own else (hyper_rate, hyper_distortion)
      for name in model.entropy_models
    }
    self.zero_centre = {name: zero_centre and name == own for name in model.entropy_models}
    self.lmbda = float(lmbda)
    self.train_encoder = bool(train_encoder)
    self.seed = int(seed)
    self._means = None
    self.distribute_reduction_method = 'first'  # what a step returns is of all replicas already
    self.stop_offset = {
      'rate': bool(stop_offset_in_rate),
      'distortion': bool(stop_offset_in_distortion),
    }

  def compile(self, *args, **kwargs) -> None:
    """As of Keras; creates the variables where `create` has not."""
    if self._means is None:
      self.create()
    super().compile(*args, **kwargs)

  def create(self) -> None:
    """Creates the variables, and freezes what this stage does not train."""
    self.hard(tf.zeros([1, 64, 64, 3]))
    for name in self.model.encoder_only:
      getattr(self.model, name).trainable = self.train_encoder
    gradients = ['gradient'] + [f'gradient/{name}' for name in self._trained_networks()]
    names = (
      'loss',
      'bpp',
      'distortion',
      'psnr',
      'soft_loss',
      'rate_mismatch',
      'distortion_mismatch',
      *gradients,
    )
    self._means = {name: tf.keras.metrics.Mean(name) for name in names}

  @property
  def metrics(self) -> list[tf.keras.metrics.Metric]:
    """Means over an epoch, which Keras resets."""
    return list((self._means or {}).values())

  def anneal(self, step: tf.Tensor) -> None:
    """Moves every quantizer's temperatures to `step`."""
    for pair in self.quantizers.values():
      for quantizer in pair:
        quantizer.anneal(step)

  def temperatures(self) -> dict[str, tf.Tensor]:
    """Returns the present temperatures by name, such as `y/rate/SUA.alpha`."""
    return {
      f'{latent}/{term}/{name}': value
      for latent, pair in self.quantizers.items()
      for term, quantizer in zip(('rate', 'distortion'), pair)
      for name, value in quantizer.temperatures().items()
    }

  def soft(self, x: tf.Tensor, index: tf.Tensor) -> RateDistortion:
    """The training-time forward calculation.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
      index: `int64[batch]`: each image's number in the run, which its noise is a function of.
    """
    return self._figures(x, Soft(self, x, index))

  def hard(self, x: tf.Tensor) -> RateDistortion:
    """The same with rounding, batched; evaluation proper is the exported codec's.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
    """
    return self._figures(x, Hard(self, x))

  def entropy_parameters(self, x: tf.Tensor) -> list[tuple[Part, NamedTuple]]:
    """Returns each part of the latents with its entropy parameters, with rounding.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
    """
    visitor = Hard(self, x)
    self._figures(x, visitor)
    return visitor.parameters

  def latent_gradients(self, x: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients of both terms of the loss with respect to the image's own latent.

    The other latents are held; their dependence on it is none of the quantizers'.

    Args:
      x: Images, as of `soft`.
      index: Their numbers, as of `soft`.

    Returns:
      Those of the rate and of the distortion, each of the latent's shape.
    """
    *_, own = self.model.entropy_models
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
      visitor = Soft(self, x, index)
      y = visitor.latents[own]
      tape.watch(y)
      figures = self._figures(x, visitor)
      distortion = self._distortion(figures)
    return tape.gradient(figures.bpp, y), tape.gradient(distortion, y)

  def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One step on `image`, uint8 `[batch, height, width, 3]`, and `index`, `int64[batch]`."""
    step = tf.identity(self.optimizer.iterations)
    self.anneal(step)
    with tf.GradientTape() as tape:
      figures = self.soft(_as_float(data['image']), data['index'])
      loss = self._loss(figures)
    variables = self.trainable_variables
    gradients = _over_replicas(tape.gradient(loss, variables))
    figures = _joint(figures)
    norms = self._gradient_norms(variables, gradients)
    # Checked before the update, so that what is checkpointed is finite, and by all replicas alike.
    terms = {'rate': figures.bpp, 'distortion': figures.mse, 'gradient': norms['gradient']}
    with tf.control_dependencies(
      [
        tf.debugging.Assert(tf.math.is_finite(value), [f'the {name} is not finite at step', step])
        for name, value in terms.items()
      ]
    ):
      gradients = [tf.identity(gradient) for gradient in gradients]
    self.optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
    return self._mean({**self._scalars(figures), **norms})

  def test_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Validation: the loss as trained, with rounding, and the train-test mismatch of each term."""
    x = _as_float(data['image'])
    soft, hard = _joint(self.soft(x, data['index'])), _joint(self.hard(x))
    return self._mean(
      {
        **self._scalars(hard),
        'soft_loss': self._loss(soft),
        'rate_mismatch': soft.bpp - hard.bpp,
        'distortion_mismatch': self._distortion(soft) - self._distortion(hard),
      }
    )

  def _figures(self, x, visitor: Forward) -> RateDistortion:
    batch, height, width = tf.unstack(tf.shape(x))[:3]
    y_tilde = self.model.walk(visitor, batch, height, width)
    reconstruction = self.model.reconstruct(y_tilde, height, width)
    pixels = tf.cast(batch * height * width, tf.float32)
    return RateDistortion(
      tf.add_n(visitor.bits) / pixels, tf.reduce_mean(tf.square(x - reconstruction)), reconstruction
    )

  def _distortion(self, figures):
    return self.lmbda * 255**2 * figures.mse

  def _loss(self, figures):
    return figures.bpp + self._distortion(figures)

  def _scalars(self, figures):
    psnr = -10 * tf.math.log(tf.maximum(figures.mse, 1e-10)) / tf.math.log(10.0)
    return {
      'loss': self._loss(figures),
      'bpp': figures.bpp,
      'distortion': self._distortion(figures),
      'psnr': psnr,
    }

  def _mean(self, scalars):
    for name, value in scalars.items():
      self._means[name].update_state(value)
    return {name: self._means[name].result() for name in scalars}

  def _trained_networks(self):
    """Returns the variables that are trained of each network of the model."""
    trained = {
      name: [variable for layer in layers for variable in layer.trainable_variables]
      for name, layers in self.model.networks().items()
    }
    return {name: variables for name, variables in trained.items() if variables}

  def _gradient_norms(self, variables, gradients):
    """Norms over everything and over each sub-network, from its name in the model."""
    by_variable = {variable.ref(): gradient for variable, gradient in zip(variables, gradients)}
    norms = {'gradient': tf.linalg.global_norm(gradients)}
    for name, trained in self._trained_networks().items():
      norms[f'gradient/{name}'] = tf.linalg.global_norm(
        [by_variable[variable.ref()] for variable in trained]
      )
    return norms


def _over_replicas(values):
  """Returns the means over the replicas, which hold equal shares of a batch."""
  return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def _joint(figures):
  """Returns the figures of the replicas' joint batch, with this one's reconstruction."""
  bpp, mse = _over_replicas([figures.bpp, figures.mse])
  return figures._replace(bpp=bpp, mse=mse)


def _as_float(image):
  return tf.cast(image, tf.float32) / 255
