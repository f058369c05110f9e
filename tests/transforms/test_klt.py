import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_patches
from tfusq import testing, transforms
from tfusq.transforms import KLT, Convolutional, Light, Residual, block_bases


@pytest.fixture(scope='module')
def images():
  return np.stack([make_patches().patch(index) for index in range(4)]).astype(np.float32) / 255


def halves(family, latent_channels=24):
  return family.analysis(8, latent_channels), family.synthesis(8, latent_channels)


@testing.conformance(KLT(overlap=8))
def test_transforms_conform_with_other_arguments(check):
  check()


@pytest.mark.parametrize(
  'network, overlap',
  [(None, 0), (None, 4), (Light(), 0), (Light(0), 8), (Convolutional(), 0)],
)
def test_the_start_is_the_linear_transform_whatever_the_network(network, overlap, images):
  """Coefficients of orthonormal blocks in steps, and their inverse, as NumPy computes them."""
  analysis, synthesis = halves(KLT(0.02, network, overlap))
  y = analysis(images)
  synthesis(y)
  for half in (analysis, synthesis):
    half.initialize_from_data(images)

  basis = block_bases.karhunen_loeve(images, 24)
  step = block_bases.quantization_step(0.02)
  vectors = basis.vectors.reshape(768, 24)
  blocks = block_bases._blocks((images - basis.mean).reshape(-1, 64, 3))
  expected = blocks @ vectors / step
  np.testing.assert_allclose(analysis(images).numpy().reshape(-1, 24), expected, atol=2e-3)

  coarse = tf.constant(np.round(expected).reshape(4, 4, 4, 24), tf.float32)
  decoded = synthesis(coarse).numpy()
  blocks = block_bases._blocks((decoded - basis.mean).reshape(-1, 64, 3))
  np.testing.assert_allclose(blocks, np.round(expected) @ vectors.T * step, atol=1e-4)


def test_without_photographs_it_is_the_cosine_transform(images):
  analysis, synthesis = halves(KLT(network=None), 768)
  np.testing.assert_allclose(synthesis(analysis(images)), images, atol=1e-4)
  np.testing.assert_allclose(
    analysis.linear.kernel,
    block_bases.cosine(768).vectors / block_bases.quantization_step(0.013),
    rtol=1e-6,
  )


def test_the_step_is_that_for_the_squared_error_in_the_distortions_place(images):
  half, same = halves(KLT(0.02, None)), halves(KLT(50.0, None, squared_error=2500.0))
  for one, other in zip(half, same, strict=True):
    one.build([None, 64, 64, images.shape[-1]])
    other.build([None, 64, 64, images.shape[-1]])
  np.testing.assert_array_equal(half[0](images), same[0](images))


def test_images_smaller_than_a_block_leave_the_cosine_transform(images):
  analysis, _ = halves(KLT())
  analysis(images)
  before = analysis.get_weights()
  analysis.initialize_from_data(images[:, :8])
  np.testing.assert_equal(analysis.get_weights(), before)


def test_only_the_last_layer_is_zero(images):
  analysis, _ = halves(KLT(network=Residual(True)))
  analysis(images)
  network = analysis.network
  zero = [variable for variable in network.trainable_variables if not np.any(variable)]
  kernels = [variable for variable in zero if variable.shape.rank > 1]
  assert [kernel.shape[-1] for kernel in kernels] == [24]  # of the convolution to the latent
  last = network.layers[-1].down
  assert kernels[0] is last.kernel


def test_a_network_without_a_last_layer_is_refused():
  class Grey(transforms.Transforms):
    def analysis(self, filters, latent_channels):
      return tf.keras.layers.AveragePooling2D(16)

    synthesis = analysis

  with pytest.raises(ValueError, match='KLT.network: .* has no layer of tfusq.transforms that'):
    KLT(network=Grey()).analysis(4, 3)(tf.ones([1, 16, 16, 3]))


@pytest.mark.parametrize(
  'arguments, error',
  [
    ({'lmbda': 0.0}, 'KLT.lmbda must be positive'),
    ({'network': 'Light'}, 'KLT.network must be Transforms or None'),
    ({'squared_error': 0.0}, 'KLT.squared_error must be positive'),
    ({'overlap': 17}, 'KLT.overlap must be an integer from 0 to 16'),
  ],
)
def test_arguments_out_of_range_are_refused(arguments, error):
  with pytest.raises((TypeError, ValueError), match=error):
    KLT(**arguments)
  with pytest.raises(ValueError, match='at most 768 latent channels'):
    KLT().analysis(4, 769)
  with pytest.raises(ValueError, match='Light.blocks'):
    Light(-1)


def test_a_hyper_analysis_sees_magnitudes_on_a_logarithmic_scale():
  analysis = tfusq.KLT(network=None).analysis(8, 12)
  latents = tf.constant([-1000.0, -0.01, 0.0, 0.01, 1000.0])
  expected = np.arcsinh(latents.numpy().astype(np.float64))
  np.testing.assert_allclose(analysis.companded(latents), expected, rtol=1e-5)

  model = tfusq.MSHyper(
    tfusq.Gaussian(), tfusq.Factorized(), 8, 12, analysis=tfusq.KLT(), synthesis=tfusq.KLT()
  )
  x = tf.random.stateless_uniform([1, 64, 64, 3], [1, 2])
  found = model.latents(x)
  np.testing.assert_array_equal(found['z'], model.hyper_analysis(tf.asinh(found['y'])))
