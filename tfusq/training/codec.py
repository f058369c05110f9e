"""A codec in training: one training step for the joint and the post stage (Eq. 5)."""

from typing import Any

import tensorflow as tf

from tfusq.models import CentredModel, Model, Part, Target, VariableRate, tracing
from tfusq.models.visitors import EstimatingVisitor
from tfusq.quantization.quantizer import Quantizer
from tfusq.training import distortions, distribute, execution, fixed_order
from tfusq.training.averages import MovingAverages
from tfusq.training.distortions import MSE, Distortion
from tfusq.training.divergence import Divergence
from tfusq.training.failure import FirstFailure
from tfusq.training.learning_rate import Since
from tfusq.training.loss import (
  RateDistortion,
  SurrogateVisitor,
  check_quantizers,
  rate_distortion,
)
from tfusq.training.loss_scale import LossScale
from tfusq.transforms.pixels import from_uint8


class Codec(tf.keras.Model):
  """Trains a model with one quantizer for the rate and one for the distortion.

  The loss is that of `tfusq.training.loss`. The hyperlatent has quantizers of its own and is not
  quantized zero-centre.

  Attributes:
    model: Networks and entropy models.
    centred_model: The same with its centring: what coding and exporting need.
    quantizers: Quantizers of the rate and of the distortion, by the name of the latent.
    distortion_measure: Measure of the distortion.
    lmbda: Weight of the distortion.
    train_encoder: Whether the networks are trained that decoding does not need.
    loss_scale: Scale of the loss in training, where networks compute in float16; else None.
    averages: Moving averages of the weights, or None.
    divergence: Watch over the run's loss.
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
    distortion_measure: Distortion = MSE(),
    variable_rate: VariableRate | None = None,
  ):
    """Initializer.

    Args:
      model: Networks and entropy models.
      rate: Stands in for rounding the image's own latent in the rate.
      distortion: Stands in for rounding the image's own latent in the distortion.
      hyper_rate: Stands in for rounding the other latents in the rate.
      hyper_distortion: Stands in for rounding the other latents in the distortion.
      lmbda: Weight of the distortion, in bits per pixel for each unit of it, which is 255^2 MSE by
        default; positive. With a variable rate, it is that for which the networks start.
      zero_centre: Whether the image's own latent is quantized around its centre.
      train_encoder: False in the post stage: the networks that decoding does not need are frozen.
      seed: Seed of the noise.
      stop_offset_in_rate: Whether the rate's gradient stops at the quantization offset. The centre
        then gets its gradient through the density alone; False lets it pass through the offset too.
      stop_offset_in_distortion: Whether the distortion's gradient stops at the offset; the partial
        stop-gradient of Sec. 5.3 has it so.
      distortion_measure: Measure of the distortion; by default the mean squared error.
      variable_rate: Gains and lambdas of a codec of many qualities; None for one quality.

    Raises:
      Undefined: if a distortion's estimator is defined for elementwise losses only.
      TypeError: if the model, a quantizer or the measure is of another type.
      ValueError: if an argument is out of range, or the model can't be quantized zero-centre.
    """
    # Keras would wrap the optimizer for a policy of float16; see `LossScale`.
    super().__init__(name='codec', dtype='float32')
    centred_model = CentredModel(model, zero_centre, variable_rate)
    check_quantizers(
      {
        'rate': rate,
        'distortion': distortion,
        'hyper_rate': hyper_rate,
        'hyper_distortion': hyper_distortion,
      }
    )
    if not lmbda > 0:
      raise ValueError(f'Codec.lmbda must be positive, not {lmbda}')
    if not isinstance(distortion_measure, Distortion):
      raise TypeError(f'Codec.distortion_measure must be a Distortion, not {distortion_measure!r}')

    # Keras tracks variables by attribute, in this order, which checkpoints of optimizers depend on.
    self.model = model
    self.variable_rate = variable_rate
    quantizers = dict.fromkeys(model.entropy_models, (hyper_rate, hyper_distortion))
    quantizers[model.image_latent] = (rate, distortion)
    self.quantizers = quantizers
    # Hidden from Keras, which would train a measure's networks.
    object.__setattr__(self, 'distortion_measure', distortion_measure)

    self.centred_model = centred_model
    self.lmbda = float(lmbda)
    self.train_encoder = bool(train_encoder)
    self.seed = int(seed)
    self.stop_offset = {
      'rate': bool(stop_offset_in_rate),
      'distortion': bool(stop_offset_in_distortion),
    }
    self._means: dict[str, tf.keras.metrics.Mean] | None = None
    self._failure = FirstFailure()
    # Only networks in float16 need it.
    self.loss_scale = LossScale() if execution.scales_losses() else None
    self.averages: MovingAverages | None = None
    self.divergence = Divergence()
    self._first_iteration = 0
    # The scalars that a step returns are already those of all replicas.
    self.distribute_reduction_method = 'first'

  def compile(self, *args: object, **kwargs: object) -> None:
    """Compiles as Keras does; creates the variables if `create` has not.

    Args:
      *args: Arguments of Keras' method.
      **kwargs: Arguments of Keras' method. `jit_compile` is that of the execution in force.
    """
    if self._means is None:
      self.create()
    super().compile(*args, **{'jit_compile': execution.compiles(), **kwargs})

  def create(self) -> None:
    """Creates the variables, and freezes the networks that this stage does not train."""
    self.centred_model.create(self.lmbda)
    for layer in self.centred_model.encoder_only():
      layer.trainable = self.train_encoder

    names = ['loss', 'bpp', 'distortion', 'psnr', 'measured']
    names += ['soft_loss', 'rate_mismatch', 'distortion_mismatch']
    names += ['gradient']
    names += [f'gradient/{network}' for network in self._trained_variables()]
    self._means = {name: tf.keras.metrics.Mean(name) for name in names}

  @property
  def is_for_squared_error(self) -> bool:
    """Whether the distortion is the mean squared error, which the PSNR tells too."""
    return type(self.distortion_measure) is MSE

  @property
  def needs_autograph(self) -> bool:
    """Whether a function of the codec must be traced with AutoGraph: some part is not ours."""
    measures = distortions.parts(self.distortion_measure)
    return tracing.needs_autograph((self, *self.submodules, *measures))

  @property
  def metrics(self) -> list[tf.keras.metrics.Metric]:
    """Means over an epoch, which Keras resets."""
    return list((self._means or {}).values())

  def begin_at(self, iterations: int) -> None:
    """Makes a step of the optimizer the first one of this run, whose schedules begin there.

    Args:
      iterations: Number of steps that the optimizer has done before, in another run.
    """
    # Keras has no public way to ask an optimizer for its schedule.
    schedule = getattr(self.optimizer, '_learning_rate', None)
    if iterations and isinstance(schedule, tf.keras.optimizers.schedules.LearningRateSchedule):
      self.optimizer.learning_rate = Since(schedule, iterations)
    self._first_iteration = iterations

  def step(self) -> int:
    """Returns the number of steps that are done in this run."""
    return int(self.optimizer.iterations.numpy()) - self._first_iteration

  def anneal(self, step: tf.Tensor) -> None:
    """Moves every quantizer's temperatures to `step`, a scalar integer tensor."""
    for rate, distortion in self.quantizers.values():
      rate.anneal(step)
      distortion.anneal(step)

  def temperatures(self) -> dict[str, tf.Tensor]:
    """Returns the present temperatures by name, such as `y/rate/SUA.alpha`."""
    temperatures = {}
    for latent, (rate, distortion) in self.quantizers.items():
      for term, quantizer in (('rate', rate), ('distortion', distortion)):
        for name, value in quantizer.temperatures().items():
          temperatures[f'{latent}/{term}/{name}'] = value
    return temperatures

  def target(self, step: tf.Tensor | None = None) -> Target:
    """Returns what images are trained for at their quality steps.

    Args:
      step: Quality step of each image, `int[batch]`; None for the default one, the only one where
        the rate is fixed.
    """
    if self.variable_rate is None:
      return Target(self.lmbda)
    step = tf.constant([self.variable_rate.default_step]) if step is None else step
    return self.variable_rate.target(step, self.lmbda)

  def training_target(self, index: tf.Tensor) -> Target:
    """Returns what images are trained for: at a variable rate, all qualities in equal measure.

    Args:
      index: `int64[batch]`, the number of each image in the run.
    """
    if self.variable_rate is None:
      return self.target()
    return self.target(self.variable_rate.spread(index))

  def soft(self, x: tf.Tensor, index: tf.Tensor, target: Target | None = None) -> RateDistortion:
    """Returns rate and distortion of the training-time forward calculation.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
      index: `int64[batch]`, the number of each image in the run, which its noise depends on.
      target: Lambdas, weights and gains of the images; None for the default quality.
    """
    target = target or self.target()
    return self._rate_distortion(x, self._surrogate_visitor(x, index, target), target)

  def hard(self, x: tf.Tensor, target: Target | None = None) -> RateDistortion:
    """Returns rate and distortion with rounding, estimated on the batch.

    Real rates are those of the exported codec.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
      target: Lambdas, weights and gains of the images; None for the default quality.
    """
    target = target or self.target()
    visitor = self.centred_model.rounding_visitor(x, target.gains)
    return self._rate_distortion(x, visitor, target)

  def entropy_parameters(self, x: tf.Tensor) -> list[tuple[Part, Any]]:
    """Returns each part of the latents with its entropy parameters, with rounding.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.

    Returns:
      Pairs of a part and the named tuple of its entropy model.
    """
    target = self.target()
    visitor = self.centred_model.rounding_visitor(x, target.gains)
    self._rate_distortion(x, visitor, target)
    return visitor.parameters

  def latent_gradients(self, x: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients of both terms of the loss with respect to the image's own latent.

    The other latents are held, since the quantizers do not decide how they depend on it.

    Args:
      x: Images, `[batch, height, width, 3]`, float, 0 to 1.
      index: `int64[batch]`, the number of each image in the run.

    Returns:
      Gradient of the rate and gradient of the distortion, each of the latent's shape.
    """
    target = self.target()
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
      visitor = self._surrogate_visitor(x, index, target)
      y = visitor.latents[self.model.image_latent]
      tape.watch(y)
      terms = self._rate_distortion(x, visitor, target)
    return tape.gradient(terms.bpp, y), tape.gradient(terms.distortion, y)

  @tracing.converted_if_needed
  def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Trains on one batch.

    Args:
      data: `image`, `uint8[batch, height, width, 3]`, and `index`, `int64[batch]`.

    Returns:
      Scalars by name: the terms of the loss and norms of gradients, means over the epoch so far.
    """
    iterations = tf.identity(self.optimizer.iterations)
    step = iterations - self._first_iteration
    self.anneal(step)

    with tf.GradientTape() as tape:
      target = self.training_target(data['index'])
      terms = self.soft(from_uint8(data['image']), data['index'], target)
      loss = self.loss_scale.scaled(terms.loss) if self.loss_scale else terms.loss
    variables = self.trainable_variables
    gradients = fixed_order.gradients(tape, loss, variables)
    if self.loss_scale:
      gradients = self.loss_scale.unscaled(gradients)
    gradients = distribute.mean_of_replicas(gradients)

    terms = terms.of_all_replicas()
    norms = self._gradient_norms(variables, gradients)
    if self.loss_scale:
      is_applied = self.loss_scale.apply(self.optimizer, gradients, variables, norms['gradient'])
      # Left out of the means: its gradients are those of too large a scale.
      norms = {name: tf.where(is_applied, norm, 0) for name, norm in norms.items()}
    else:
      is_applied = None
      # The gradients are aggregated already.
      self.optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
    # By all replicas alike.
    self._failure.note(
      {'rate': terms.bpp, 'distortion': terms.measured, 'gradient': norms['gradient']}, step
    )
    self.divergence.note(terms.loss, terms.bpp, terms.distortion, step)
    if self.averages:
      self.averages.update(iterations)
    return self._mean(self._scalars(terms)) | self._mean(norms, is_applied)

  def require_progress(self) -> None:
    """Refuses to go on where something was not finite or the loss diverges.

    A step does not stop for that itself: the host would have to wait for the device each time.

    Raises:
      NotFinite: if a term or gradient was not finite; names the first step.
      Diverged: if the loss was far above its lowest for many steps.
    """
    self._failure.require_none()
    self.divergence.require_none()

  @tracing.converted_if_needed
  def test_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Validates on one batch, with rounding and with the training-time forward calculation.

    Args:
      data: `image`, `uint8[batch, height, width, 3]`, and `index`, `int64[batch]`.

    Returns:
      Scalars by name: the terms of the loss with rounding, `soft_loss` without, and the train-test
      mismatch of each term; means over the epoch so far.
    """
    x = from_uint8(data['image'])
    target = self.training_target(data['index'])
    soft = self.soft(x, data['index'], target).of_all_replicas()
    hard = self.hard(x, target).of_all_replicas()
    mismatch = {
      'soft_loss': soft.loss,
      'rate_mismatch': soft.bpp - hard.bpp,
      'distortion_mismatch': soft.distortion - hard.distortion,
    }
    return self._mean({**self._scalars(hard), **mismatch})

  def _surrogate_visitor(self, x: tf.Tensor, index: tf.Tensor, target: Target) -> SurrogateVisitor:
    latents = self.centred_model.at(target.gains).latents(x)
    return SurrogateVisitor(
      self.centred_model, self.quantizers, self.stop_offset, self.seed, latents, index, target.gains
    )

  def _rate_distortion(
    self, x: tf.Tensor, visitor: EstimatingVisitor, target: Target
  ) -> RateDistortion:
    return rate_distortion(x, visitor, self.distortion_measure, target)

  def _scalars(self, terms: RateDistortion) -> dict[str, tf.Tensor]:
    return {
      'loss': terms.loss,
      'bpp': terms.bpp,
      'distortion': terms.distortion,
      'psnr': terms.psnr(),
      'measured': self.distortion_measure.unit * terms.measured,
    }

  def _mean(
    self, scalars: dict[str, tf.Tensor], counts: tf.Tensor | None = None
  ) -> dict[str, tf.Tensor]:
    """Adds scalars to the means over the epoch, and returns these.

    Args:
      scalars: Scalars by name.
      counts: Whether they count, a boolean scalar; None if they do.
    """
    assert self._means is not None  # `compile` creates them
    for name, value in scalars.items():
      self._means[name].update_state(value, counts)
    return {name: self._means[name].result() for name in scalars}

  def _trained_variables(self) -> dict[str, list[tf.Variable]]:
    """Returns the variables that are trained of each network of the model, by its name."""
    trained = {}
    networks = self.model.networks()
    if self.variable_rate is not None:
      networks['variable_rate'] = [self.variable_rate]
    for name, layers in networks.items():
      variables = []
      for layer in layers:
        variables += layer.trainable_variables
      if variables:
        trained[name] = variables
    return trained

  def _gradient_norms(
    self, variables: list[tf.Variable], gradients: list[tf.Tensor]
  ) -> dict[str, tf.Tensor]:
    """Returns norms over all variables and over those of each network."""
    by_variable = {}
    for variable, gradient in zip(variables, gradients, strict=True):
      by_variable[variable.ref()] = gradient

    norms = {'gradient': tf.linalg.global_norm(gradients)}
    for name, trained in self._trained_variables().items():
      of_network = [by_variable[variable.ref()] for variable in trained]
      norms[f'gradient/{name}'] = tf.linalg.global_norm(of_network)
    return norms
