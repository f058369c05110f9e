"""Wrong transforms are refused by the check that is made for their fault."""

import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, transforms


class Wrapped(tf.keras.layers.Layer):
  """A layer, and a function of its result."""

  def __init__(self, layer, function):
    super().__init__()
    self.layer = layer
    self.function = function

  def call(self, inputs):
    return self.function(self.layer(inputs))


class HalvesTheLatent(tfusq.Convolutional):
  def analysis(self, filters, latent_channels):
    return Wrapped(super().analysis(filters, latent_channels), lambda y: y[:, ::2, ::2])


class IgnoresTheChannels(tfusq.Convolutional):
  def analysis(self, filters, latent_channels):
    return super().analysis(filters, filters)


class GreyImages(tfusq.Convolutional):
  def synthesis(self, filters, latent_channels):
    return Wrapped(super().synthesis(filters, latent_channels), lambda x: x[..., :1])


class CropsTheImage(tfusq.Convolutional):
  def synthesis(self, filters, latent_channels):
    return Wrapped(super().synthesis(filters, latent_channels), lambda x: x[:, :-1])


class StopsAGradient(tfusq.Convolutional):
  def analysis(self, filters, latent_channels):
    return Wrapped(super().analysis(filters, latent_channels), tf.stop_gradient)


class IsAlwaysBlack(tfusq.Convolutional):
  """Ends with a rectifier that never opens: gradients exist, and all are 0."""

  def synthesis(self, filters, latent_channels):
    return Wrapped(super().synthesis(filters, latent_channels), lambda x: tf.nn.relu(x - 1e3))


class CentresTheBatch(tfusq.Convolutional):
  def analysis(self, filters, latent_channels):
    return Wrapped(
      super().analysis(filters, latent_channels), lambda y: y - tf.reduce_mean(y, 0, keepdims=True)
    )


class ScalesByTheBatch(tfusq.Convolutional):
  def synthesis(self, filters, latent_channels):
    return Wrapped(
      super().synthesis(filters, latent_channels), lambda x: x / tf.reduce_max(tf.abs(x))
    )


class NeedsItsSize(tfusq.Convolutional):
  def synthesis(self, filters, latent_channels):
    return Wrapped(
      super().synthesis(filters, latent_channels), lambda x: tf.reshape(x, x.shape.as_list())
    )


class OtherWhenTraced(tfusq.Convolutional):
  def analysis(self, filters, latent_channels):
    return Wrapped(
      super().analysis(filters, latent_channels),
      lambda y: y if tf.executing_eagerly() else tf.round(y),
    )


@pytest.mark.parametrize(
  'subject, check, number',
  [
    (HalvesTheLatent(), transforms.analysis_has_stride_16, '64x48 has the shape .2, 2, 2, 20.'),
    (IgnoresTheChannels(), transforms.analysis_has_stride_16, 'has the shape .2, 1, 1, 32.'),
    (GreyImages(), transforms.synthesis_restores_the_size, 'has the shape .2, 16, 16, 1.'),
    (CropsTheImage(), transforms.synthesis_restores_the_size, 'has the shape .2, 15, 16, 3.'),
    (StopsAGradient(), transforms.trains_every_variable, '14 of 28 variables'),
    (IsAlwaysBlack(), transforms.trains_every_variable, '28 of 28 variables'),
    (CentresTheBatch(), transforms.images_are_independent, 'the analysis of an image is 0'),
    (ScalesByTheBatch(), transforms.images_are_independent, 'the synthesis of an image is 0'),
    (NeedsItsSize(), transforms.agrees_when_traced, 'with 3 unknown dimensions'),
    (OtherWhenTraced(), transforms.agrees_when_traced, 'gives values 0'),
  ],
)
def test_faults_are_caught_by_the_right_check(subject, check, number):
  with pytest.raises(NonConformance, match=number):
    check(subject)
  assert check in [bound.check for bound in testing.checks_of(subject)]


@testing.conformance(tfusq.Bottleneck(1, attention=False))
def test_built_in_transforms_conform_with_other_arguments(check):
  assert check() in ('', 'it does not start from data')
