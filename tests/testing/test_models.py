"""Every codec model conforms, and wrong ones are refused by the check made for their fault."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq import testing, transforms
from tfusq.testing import NonConformance
from tfusq.transforms import exact


def tiny(cls, *entropy_model, **options):
  tf.keras.utils.set_random_seed(3)
  entropy_model = entropy_model or [tfusq.Gaussian()]
  return cls(*entropy_model, tfusq.Factorized(), 4, 6, **options)


@testing.conformance(
  tiny(tfusq.MSHyper),
  tiny(tfusq.MSContext),
)
def test_models_conform(check):
  assert check() == ''


@pytest.mark.long
@testing.conformance(
  tiny(tfusq.Charm, slices=3),
  tiny(tfusq.Cheng, tfusq.GaussianMixture(), hidden=12, analysis=tfusq.Residual(True)),
  tiny(tfusq.ELIC, groups=(2, 4), analysis=tfusq.Bottleneck(1)),
)
def test_larger_models_conform(check):
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


class HasOtherLatents(tfusq.MSHyper):
  """Changes the latents, but not the stages of which they consist."""

  def latents(self, x):
    latents = super().latents(x)
    return {**latents, 'y': 2 * latents['y'] + 1}


class WithOtherRaw(tfusq.Visitor):
  """Passes visits on to another visitor, with a function of the raw parameters in their place."""

  def __init__(self, visitor, function):
    self.visitor = visitor
    self.function = function

  def visit(self, part, raw):
    return self.visitor.visit(part, self.function(part, raw))

  def visit_serially(self, part, context):
    return self.visitor.visit_serially(part, context)


class PeeksAtTheImage(tfusq.MSHyper):
  """Conditions y on what only the encoder knows."""

  def analysis_stages(self):
    (latent, cell), *others = super().analysis_stages()

    def peek(x):
      latents = latent(x)
      self._seen = tf.reduce_mean(latents['y'])
      return latents

    return [(peek, cell), *others]

  def walk(self, visitor, batch, height, width):
    seen, self._seen = getattr(self, '_seen', 0.0), 0.0
    visitor = WithOtherRaw(visitor, lambda part, raw: raw + seen)
    return super().walk(visitor, batch, height, width)


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
    def hide(part, raw):
      return self.exact_one(raw) if part.latent == 'y' else raw

    return super().walk(WithOtherRaw(visitor, hide), batch, height, width)


class ForgetsTheActivation(tfusq.MSHyper):
  def walk(self, visitor, batch, height, width):
    def activate(part, raw):
      return raw if exact.active() else tf.nn.relu(raw)

    return super().walk(WithOtherRaw(visitor, activate), batch, height, width)


@pytest.mark.parametrize(
  'cls, check, sentence',
  [
    (Miscounts, 'visits_every_component_once', '1 parts are conditioned, and `parts` is 2'),
    (VisitsTwice, 'visits_every_component_once', '1 of 6 components of y'),
    (KeepsItsPadding, 'reconstructs_the_size', 'has the shape'),
    (HasOtherLatents, 'analyses_in_stages', 'give another y than `latents`'),
    (StopsAGradient, 'trains_every_variable', '6 of 48 variables'),
    (PeeksAtTheImage, 'decodes_what_it_encodes', 'refused'),
    (WalksInFloats, 'parameters_are_exact', '1 operations of the walk give other results'),
    (WalksInFloatsInside, 'parameters_are_exact', '1 operations of the walk give other results'),
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
