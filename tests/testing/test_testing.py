"""All built-ins conform, and the kit catches faults."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq import plugins, testing, transforms
from tfusq.quantization.temperature import temperature_parameters
from tfusq.testing import NonConformance
from tfusq.transforms import exact


def built_ins():
  classes, _ = plugins.load_all()
  return [
    instance
    for plugin, cls in classes.items()
    if plugin.distribution == 'tfusq'
    and issubclass(cls, tuple(testing.CHECKS))
    and not issubclass(cls, tfusq.Model)
    for instance in testing.instances(cls)
  ]


@testing.conformance(*built_ins())
def test_built_ins_conform(check):
  check()


class ForgetsTheSlope(tfusq.SUA):
  def secant(self, y):
    return super().secant(y)._replace(slope=tf.ones_like(y))


class GradientForgetsTheSlope(tfusq.SUA):
  def __call__(self, y, u):
    return y + tf.stop_gradient(super().__call__(y, u) - y)


class Scaled(tfusq.AUN):
  def __call__(self, y, u):
    return 1.01 * (y + u)


class BiasedSecant(tfusq.SR):
  def secant(self, y):
    secant = super().secant(y)
    return secant._replace(upper=secant.upper + 0.02)


class IgnoresItsSeed(tfusq.AUN):
  def noise(self, y, seed):
    return super().noise(y, [7, 7])


class DrawsItsOwn(tfusq.AUN):
  def __call__(self, y, u):
    return y + tf.random.uniform(tf.shape(y), -0.5, 0.5, y.dtype)


class NotFinite(tfusq.SGA):
  def __call__(self, y, u):
    fraction = y - tf.floor(y)
    return tf.floor(y) + tf.sigmoid(tf.atanh(fraction) - tf.atanh(1 - fraction) + u)


class DeadGradient(tfusq.SR):
  differentiable = True


class Mixing(tfusq.AUN):
  def __call__(self, y, u):
    return y + u - tf.reduce_mean(u)


class NeverAnneals(tfusq.AUN):
  def __init__(self, alpha: float | tfusq.Schedule):
    super().__init__()
    self.alpha = alpha


class SlopelessEP(tfusq.EP):
  def evaluate(self, f, surrogate, y, u):
    secant = surrogate.secant(y)
    return tfusq.with_slope(
      f(surrogate(tf.stop_gradient(y), u)), y, f(secant.upper) - f(secant.lower)
    )


class AcceptsAll(tfusq.PGE):
  def check(self, surrogate):
    pass


class DropsWhatItCaptures(tfusq.STE):
  def evaluate(self, f, surrogate, y, u):
    @tf.custom_gradient
    def through(y):
      return f(surrogate(y, u)), lambda g: g

    return through(y)


class ReadsItsNeighbours(tfusq.Gaussian):
  def parameters(self, raw):
    return super().parameters(raw - tf.reduce_mean(raw))


class NoGradientFarOut(tfusq.Gaussian):
  def bits(self, y, parameters):
    bits = super().bits(y, parameters)
    return tf.where(tf.abs(y - parameters.mean) > 5, tf.stop_gradient(bits), bits)


class NeedsItsShape(tfusq.AUN):
  def noise(self, y, seed):
    return tf.random.stateless_uniform(y.shape, seed, -0.5, 0.5, y.dtype)


class EagerOnly(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, tf.constant(y.numpy()), u) + 0 * y


class ConstantWhenTraced(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters) * (1.0 if tf.executing_eagerly() else 1.01)


class WrongValue(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, y, u) + 1e-3


class HalfGradient(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, 0.5 * y + 0.5 * tf.stop_gradient(y), u)


class StopsParameters(tfusq.EP):
  def evaluate(self, f, surrogate, y, u):
    return tfusq.with_slope(
      tf.stop_gradient(super().evaluate(f, surrogate, y, u)), y, tf.ones_like(y)
    )


class NotNormalized(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters) + 0.05


class WrongGradient(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters._replace(mean=tf.stop_gradient(parameters.mean)))


class OffByOne(tfusq.Gaussian):
  def coder(self, zero_centre):
    coder = super().coder(zero_centre)
    decode = coder.decode

    def off_by_one(handle, index):
      handle, symbols = decode(handle, index)
      return handle, symbols + 1

    coder.decode = off_by_one
    return coder


class WrongTables(tfusq.Gaussian):
  def coder(self, zero_centre):
    coder = super().coder(zero_centre)
    index = coder.index
    coder.index = lambda parameters: tf.minimum(index(parameters) + 40, 255)
    return coder


@pytest.mark.parametrize(
  'subject, check, number',
  [
    (ForgetsTheSlope(5.0), testing.surrogates.secant_is_the_change_of_the_mean, r'z = -?\d'),
    (
      GradientForgetsTheSlope(5.0),
      testing.surrogates.gradient_is_the_finite_difference,
      'relative',
    ),
    (Scaled(), testing.surrogates.shifts_by_integers, 'by 0.01'),
    (BiasedSecant(), testing.surrogates.secant_is_the_change_of_the_mean, r'z = -?\d'),
    (IgnoresItsSeed(), testing.surrogates.noise_follows_the_seed, '100%'),
    (DrawsItsOwn(), testing.surrogates.is_a_function_of_latent_and_noise, 'are 0.* apart'),
    (NotFinite(1.0), testing.surrogates.is_finite, 'not finite at y'),
    (DeadGradient(), testing.surrogates.gradient_is_the_change_of_the_mean, r'z = \d'),
    (Mixing(), testing.surrogates.is_elementwise, r'is 0\.0\d+ apart'),
    (NeverAnneals(3.0), testing.surrogates.holds_its_temperatures, '1 parameters .* 0 are held'),
    (SlopelessEP(), testing.estimators.is_exact_where_only_elementwise, r'with SUA .* z = -?\d'),
    (AcceptsAll(), testing.estimators.moves_the_mean_over_a_period, 'with Round .* is 0.00'),
    (DropsWhatItCaptures(), testing.estimators.keeps_the_gradient_of_parameters, r'off by \d'),
    (ReadsItsNeighbours(), testing.entropy_models.bits_are_local, r'bits are \d'),
    (NoGradientFarOut(), testing.entropy_models.bits_have_their_gradients, 'latent is off in'),
    (NeedsItsShape(), testing.surrogates.agrees_when_traced, '4 unknown dimensions'),
    (EagerOnly(), testing.estimators.agrees_when_traced, '4 unknown dimensions'),
    (ConstantWhenTraced(), testing.entropy_models.agrees_when_traced, 'values 0.00'),
    (WrongValue(), testing.estimators.leaves_the_forward_value, 'off by 0.001'),
    (HalfGradient(), testing.estimators.moves_the_mean_over_a_period, 'is 0.5'),
    (StopsParameters(), testing.estimators.keeps_the_gradient_of_parameters, r'off by \d'),
    (NotNormalized(), testing.entropy_models.probabilities_sum_to_one, '0.96'),
    (WrongGradient(), testing.entropy_models.bits_have_their_gradients, 'raw parameters'),
    (OffByOne(), testing.entropy_models.codes_exactly_and_near_its_estimate, '1280 of 1280'),
    (WrongTables(), testing.entropy_models.codes_exactly_and_near_its_estimate, 'the estimate'),
  ],
)
def test_faults_are_caught_by_the_right_check(subject, check, number):
  with pytest.raises(NonConformance, match=number):
    check(subject)
  assert check in [bound.check for bound in testing.checks_of(subject)]


def test_what_does_not_apply_says_why():
  class Silent(tfusq.Gaussian):
    def coder(self, zero_centre):
      return tfusq.EntropyModel.coder(self, zero_centre)

  reasons = {check.check.__name__: check() for check in testing.checks_of(Silent())}
  assert reasons.pop('codes_exactly_and_near_its_estimate') == 'it has no bitstream'
  assert not any(reasons.values())
  reasons = [check() for check in testing.checks_of(tfusq.Round())]
  assert sorted(filter(None, reasons)) == ['it has no secant'] + 2 * [
    'it is not said to be differentiable'
  ]


def test_what_is_of_no_kind_is_refused():
  with pytest.raises(TypeError, match='Surrogates, .*not for Linear'):
    testing.checks_of(tfusq.Linear(end=2.0, steps=3))


def test_temperatures_are_found_by_their_annotation():
  assert temperature_parameters(tfusq.SUA) == ['alpha']
  assert temperature_parameters(tfusq.SGA) == ['tau']
  assert temperature_parameters(tfusq.AUN) == []
  assert len(testing.instances(tfusq.SRA)) == 2


def test_typical_temperatures_may_be_given_by_name():
  class Two(tfusq.SUA):
    typical_temperatures = {'alpha': (1.0, 3.0), 'width': (0.5, 0.25)}

    def __init__(self, alpha: float | tfusq.Schedule, width: float | tfusq.Schedule):
      super().__init__(alpha)
      self.width = width

  assert [(float(two.alpha(tf.float32)), two.width) for two in testing.instances(Two)] == [
    (1.0, 0.5),
    (3.0, 0.25),
  ]
  bound = testing.instances(Two, ['alpha'], lambda **values: Two(alpha=9.0, **values))
  assert [(float(two.alpha(tf.float32)), two.width) for two in bound] == [(9.0, 0.5), (9.0, 0.25)]


def test_noise_of_one_value_a_latent_still_follows_the_seed():
  u = tfusq.UQs().noise(tf.zeros([3, 4, 4, 2]), [1, 2])
  assert u.shape == [3, 1, 1, 1] and len(np.unique(u)) == 3


def tiny(cls, *entropy_model, **options):
  tf.keras.utils.set_random_seed(3)
  entropy_model = entropy_model or [tfusq.Gaussian()]
  return cls(*entropy_model, tfusq.Factorized(), 4, 6, **options)


@testing.conformance(
  tiny(tfusq.MSHyper),
  tiny(tfusq.MSContext),
  tiny(tfusq.Charm, slices=3),
  tiny(tfusq.Cheng, tfusq.GaussianMixture(), hidden=12, analysis=tfusq.Residual(True)),
  tiny(tfusq.ELIC, groups=(2, 4), analysis=tfusq.Bottleneck(1)),
)
def test_every_model_conforms(check):
  assert check() == ''


class Miscounts(tfusq.MSHyper):
  parts = 2


class VisitsTwice(tfusq.MSHyper):
  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    raw = self.hyper_synthesis(z_hat)[:, :height, :width]
    first, rest = (
      visitor.visit(
        tfusq.Part('y', slice(*channels)),
        tf.gather(raw, [*range(*channels), *range(6 + channels[0], 6 + channels[1])], axis=-1),
      )
      for channels in ((0, 4), (3, 6))
    )
    return tf.concat([first[..., :3], rest], -1)


class KeepsItsPadding(tfusq.MSHyper):
  def reconstruct(self, y_hat, height, width):
    return self.synthesis(y_hat)


class StopsAGradient(tfusq.MSHyper):
  def latents(self, x):
    latents = super().latents(x)
    return {**latents, 'z': tf.stop_gradient(latents['z'])}


class PeeksAtTheImage(tfusq.MSHyper):
  """Conditions y on what only the encoder knows."""

  def latents(self, x):
    latents = super().latents(x)
    self._seen = tf.reduce_mean(latents['y'])
    return latents

  def walk(self, visitor, batch, height, width):
    seen, self._seen = getattr(self, '_seen', 0.0), 0.0

    class Adding(tfusq.Visitor):
      def visit(self, part, raw):
        return visitor.visit(part, raw + seen)

    return super().walk(Adding(), batch, height, width)


class WalksInFloats(tfusq.MSHyper):
  def __init__(self, *arguments):
    super().__init__(*arguments)
    self.last = tf.keras.layers.Conv2D(12, 1)

  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    return visitor.visit(
      tfusq.Part('y'), self.last(self.hyper_synthesis(z_hat)[:, :height, :width])
    )


class WalksInFloatsInside(WalksInFloats):
  """As above, hidden by an exact layer at the end."""

  def __init__(self, *arguments):
    super().__init__(*arguments)
    self.exact_one = transforms.Dense(12)

  def walk(self, visitor, batch, height, width):
    class Hiding(tfusq.Visitor):
      def visit(_, part, raw):
        return visitor.visit(part, self.exact_one(raw) if part.latent == 'y' else raw)

    return super().walk(Hiding(), batch, height, width)


class ForgetsTheActivation(tfusq.MSHyper):
  def walk(self, visitor, batch, height, width):
    class Activating(tfusq.Visitor):
      def visit(_, part, raw):
        return visitor.visit(part, raw if exact.active() else tf.nn.relu(raw))

    return super().walk(Activating(), batch, height, width)


@pytest.mark.parametrize(
  'cls, check, sentence',
  [
    (Miscounts, 'visits_every_component_once', '1 parts are conditioned, and `parts` is 2'),
    (VisitsTwice, 'visits_every_component_once', '1 of 6 components of y'),
    (KeepsItsPadding, 'reconstructs_the_size', 'has the shape'),
    (StopsAGradient, 'trains_every_variable', '6 of 48 variables'),
    (PeeksAtTheImage, 'decodes_what_it_encodes', 'refused'),
    (WalksInFloats, 'parameters_are_exact', '1 layers with weights compute in floats'),
    (WalksInFloatsInside, 'parameters_are_exact', '1 layers with weights compute in floats'),
    (ForgetsTheActivation, 'parameters_are_exact', 'deviations from those in floats'),
  ],
)
def test_faults_of_models_are_caught_by_the_right_check(cls, check, sentence):
  checks = {bound.check.__name__: bound for bound in testing.checks_of(tiny(cls))}
  with pytest.raises(NonConformance, match=sentence):
    checks[check]()


@pytest.mark.parametrize('cls', [tfusq.MSHyper, tfusq.MSContext])
def test_checks_leave_a_models_weights_as_they_were(cls):
  model = tiny(cls)
  first, second, *checks = testing.checks_of(model)
  first(), second()  # which create them
  before = [variable.numpy() for variable in model.variables]
  for check in checks:
    assert check() == ''
  assert all(np.array_equal(*pair) for pair in zip(before, model.variables))
