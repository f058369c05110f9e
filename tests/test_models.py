import numpy as np
import pytest
import tensorflow as tf

from tfusq import Factorized, Gaussian, MSHyper, Part


def test_paper_size_has_the_parameters_of_the_published_layers():
  """From the layer table of Minnen et al. 2018, with N=192, M=320 and a GDN of N^2 + N."""
  model = MSHyper(Gaussian(), Factorized())
  x = tf.zeros([1, 64, 64, 3])
  y_hat = model.walk(lambda part, raw: model.latents(x)[part.latent], 1, 64, 64)
  model.reconstruct(y_hat, 64, 64)

  def conv(kernel, inputs, outputs):
    return kernel**2 * inputs * outputs + outputs

  def gdn(channels):
    return channels**2 + channels

  n, m = 192, 320
  analysis = conv(5, 3, n) + 2 * conv(5, n, n) + conv(5, n, m) + 3 * gdn(n)
  synthesis = conv(5, m, n) + 2 * conv(5, n, n) + conv(5, n, 3) + 3 * gdn(n)
  hyper_analysis = conv(3, m, n) + 2 * conv(5, n, n)
  hyper_synthesis = conv(5, n, m) + conv(5, m, 3 * m // 2) + conv(3, 3 * m // 2, 2 * m)
  for name, expected in (('analysis', analysis), ('synthesis', synthesis),
                         ('hyper_analysis', hyper_analysis), ('hyper_synthesis', hyper_synthesis)):
    assert getattr(model, name).count_params() == expected, name


@pytest.mark.parametrize('height, width', [(1, 1), (17, 23), (64, 64), (50, 130)])
def test_walk_visits_z_then_y_in_one_shape_with_the_latents(height, width):
  model = MSHyper(Gaussian(), Factorized(), 4, 6)
  x = tf.zeros([2, height, width, 3])
  latents = model.latents(x)
  visited = []

  def visit(part, raw):
    visited.append(part)
    latent = latents[part.latent]
    assert raw.shape == [*latent.shape[:3], model.entropy_models[part.latent].channels * 6]
    return latent

  y_hat = model.walk(visit, 2, height, width)
  assert visited == [Part('z'), Part('y')]
  assert model.reconstruct(y_hat, height, width).shape == x.shape


def test_gradients_reach_every_variable():
  model = MSHyper(Gaussian(), Factorized(), 4, 6)
  x = tf.random.stateless_uniform([1, 64, 64, 3], [1, 2])
  with tf.GradientTape() as tape:
    latents, bits = model.latents(x), []

    def visit(part, raw):
      entropy_model = model.entropy_models[part.latent]
      bits.append(tf.reduce_sum(
          entropy_model.bits(latents[part.latent], entropy_model.parameters(raw))))
      return latents[part.latent]

    y_hat = model.walk(visit, 1, 64, 64)
    loss = tf.add_n(bits) + tf.reduce_sum(model.reconstruct(y_hat, 64, 64)**2)
  gradients = tape.gradient(loss, model.trainable_variables)
  assert len(gradients) == 48
  assert all(g is not None and np.abs(g).max() > 0 for g in gradients)


@pytest.mark.parametrize('arguments, named', [
    ({'filters': 0}, 'filters'),
    ({'entropy_model': Factorized()}, 'entropy_model'),
    ({'hyper_entropy_model': Gaussian()}, 'hyper_entropy_model')])
def test_what_does_not_fit_is_named(arguments, named):
  with pytest.raises(ValueError, match=named):
    MSHyper(**{'entropy_model': Gaussian(), 'hyper_entropy_model': Factorized(), **arguments})
