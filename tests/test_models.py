import numpy as np
import pytest
import tensorflow as tf

from tfusq import Charm, Factorized, Gaussian, GaussianMixture, MSHyper, Part

TINY = {
    'MS-hyper': lambda entropy_model: MSHyper(entropy_model, Factorized(), 4, 6),
    'Charm': lambda entropy_model: Charm(entropy_model, Factorized(), 4, 10, slices=5,
                                         max_support=2),
}


@pytest.fixture(params=TINY)
def make(request):
  return TINY[request.param]


def conv(kernel, inputs, outputs):
  return kernel**2 * inputs * outputs + outputs


def gdn(channels):
  return channels**2 + channels


def transforms_of_2018(n, m):
  """Analysis and synthesis of Minnen et al. 2018 and 2020, a GDN being N^2 + N."""
  return {'analysis': conv(5, 3, n) + 2 * conv(5, n, n) + conv(5, n, m) + 3 * gdn(n),
          'synthesis': conv(5, m, n) + 2 * conv(5, n, n) + conv(5, n, 3) + 3 * gdn(n)}


def parameters_of(model):
  x = tf.zeros([1, 64, 64, 3])
  latents = model.latents(x)
  model.reconstruct(model.walk(
      lambda part, raw: latents[part.latent][..., part.channels], 1, 64, 64), 64, 64)

  def count(networks):
    return sum(network.count_params() for network in (
        networks if isinstance(networks, list) else [networks]))

  return {name: count(getattr(model, name)) for name in (
      'analysis', 'synthesis', 'hyper_analysis', 'hyper_synthesis', 'context')
      if hasattr(model, name)}


def test_ms_hyper_at_paper_size_has_the_parameters_of_the_published_layers():
  """From the layer table of Minnen et al. 2018, with N=192, M=320."""
  n, m = 192, 320
  assert parameters_of(MSHyper(Gaussian(), Factorized())) == {
      **transforms_of_2018(n, m),
      'hyper_analysis': conv(3, m, n) + 2 * conv(5, n, n),
      'hyper_synthesis': conv(5, n, m) + conv(5, m, 3 * m // 2) + conv(3, 3 * m // 2, 2 * m)}


def test_charm_at_paper_size_has_the_parameters_of_the_published_layers():
  """From `ms2020.py` of TensorFlow Compression, which adds no bias to the last hyper analysis."""
  n, m, depth = 192, 320, 32
  inputs = [m + depth * min(place, 5) for place in range(10)]
  assert parameters_of(Charm(Gaussian(), Factorized())) == {
      **transforms_of_2018(n, m),
      'hyper_analysis': conv(3, m, 320) + conv(5, 320, 256) + conv(5, 256, n),
      'hyper_synthesis': 2 * (conv(5, n, 192) + conv(5, 192, 256) + conv(3, 256, 320)),
      'context': 2 * sum(conv(5, width, 224) + conv(5, 224, 128) + conv(3, 128, depth)
                         for width in inputs)}


@pytest.mark.parametrize('height, width', [(1, 1), (17, 23), (64, 64), (50, 130)])
@pytest.mark.parametrize('components', [0, 2])
def test_walk_visits_z_then_the_parts_of_y_in_shape_with_the_latents(
    make, height, width, components):
  entropy_model = GaussianMixture(components) if components else Gaussian()
  model = make(entropy_model)
  x = tf.zeros([2, height, width, 3])
  latents = model.latents(x)
  visited = []

  def visit(part, raw):
    visited.append(part)
    latent = latents[part.latent][..., part.channels]
    channels = model.entropy_models[part.latent].channels
    assert raw.shape == [*latent.shape[:3], channels * latent.shape[-1]]
    return latent

  y_hat = model.walk(visit, 2, height, width)
  assert visited[0] == Part('z') and len(visited) == 1 + model.parts
  seen = np.concatenate([np.arange(y_hat.shape[-1])[part.channels] for part in visited[1:]])
  np.testing.assert_array_equal(seen, np.arange(y_hat.shape[-1]))
  np.testing.assert_array_equal(y_hat, latents['y'])
  assert model.reconstruct(y_hat, height, width).shape == x.shape


def test_a_slice_is_conditioned_on_the_first_ones_before_it():
  model = Charm(Gaussian(), Factorized(), 4, 10, slices=5, max_support=2)
  latents = model.latents(tf.random.stateless_uniform([1, 64, 64, 3], [1, 2]))

  def raws(changed=None):
    seen = []

    def visit(part, raw):
      seen.append(raw.numpy())
      return latents[part.latent][..., part.channels] + 3. * (len(seen) - 2 == changed)

    model.walk(visit, 1, 64, 64)
    return seen[1:]

  before = raws()
  for changed in range(5):
    apart = [not np.array_equal(a, b) for a, b in zip(before, raws(changed))]
    assert apart == [changed < 2 and place > changed for place in range(5)]


def test_gradients_reach_every_variable(make):
  model = make(Gaussian())
  x = tf.random.stateless_uniform([1, 64, 64, 3], [1, 2])
  with tf.GradientTape() as tape:
    latents, bits = model.latents(x), []

    def visit(part, raw):
      entropy_model = model.entropy_models[part.latent]
      latent = latents[part.latent][..., part.channels]
      bits.append(tf.reduce_sum(entropy_model.bits(latent, entropy_model.parameters(raw))))
      return latent

    y_hat = model.walk(visit, 1, 64, 64)
    loss = tf.add_n(bits) + tf.reduce_sum(model.reconstruct(y_hat, 64, 64)**2)
  gradients = tape.gradient(loss, model.trainable_variables)
  assert len(gradients) >= 48
  assert all(g is not None and np.abs(g).max() > 0 for g in gradients)


@pytest.mark.parametrize('arguments, named', [
    ({'slices': 3}, 'must divide'), ({'slices': 0}, 'must divide'), ({'max_support': -1}, 'max_s')])
def test_charm_names_what_is_out_of_range(arguments, named):
  with pytest.raises(ValueError, match=named):
    Charm(Gaussian(), Factorized(), 4, 10, **arguments)


@pytest.mark.parametrize('arguments, named', [
    ({'filters': 0}, 'filters'),
    ({'entropy_model': Factorized()}, 'entropy_model'),
    ({'hyper_entropy_model': Gaussian()}, 'hyper_entropy_model')])
def test_what_does_not_fit_is_named(arguments, named):
  with pytest.raises(ValueError, match=named):
    MSHyper(**{'entropy_model': Gaussian(), 'hyper_entropy_model': Factorized(), **arguments})
