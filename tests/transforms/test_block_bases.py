import numpy as np
import pytest
import scipy.fft
import scipy.optimize

from making import make_patches
from tfusq.transforms import block_bases


@pytest.fixture(scope='module')
def images():
  return np.stack([make_patches().patch(index) for index in range(8)]).astype(np.float32) / 255


def remaining(basis, images, count):
  """The squared error of blocks after their first coefficients."""
  blocks = block_bases._blocks((images - basis.mean).reshape(-1, 64, 3))
  vectors = basis.vectors.reshape(768, -1)[:, :count]
  return np.square(blocks - blocks @ vectors @ vectors.T).mean()


def test_the_step_is_that_of_the_least_loss():
  """R + lambda D of Gaussian coefficients, quantized uniformly, by sums over their bins."""
  lmbda = 10.0
  sigma = 3.0

  def loss(step):
    edges = np.arange(-40_000, 40_001) * step + step / 2
    edges = edges[np.abs(edges) < 8 * sigma]
    mass = np.diff(scipy.stats.norm.cdf(edges, scale=sigma))
    rate = -np.sum(mass * np.log2(np.maximum(mass, 1e-300)))
    points = np.linspace(-8 * sigma, 8 * sigma, 400_001)
    density = scipy.stats.norm.pdf(points, scale=sigma) * (points[1] - points[0])
    error = np.sum(density * np.square(points - step * np.round(points / step)))
    # Of 768 such coefficients of 256 pixels, in bits per pixel.
    return 768 / 256 * rate + lmbda * 255**2 * error

  step = block_bases.quantization_step(lmbda)
  found = scipy.optimize.minimize_scalar(loss, bounds=(step / 3, 3 * step), method='bounded').x
  assert found == pytest.approx(step, rel=1e-3)


@pytest.mark.parametrize('count', [1, 100, 768])
def test_bases_are_orthonormal(count, images):
  for basis in (block_bases.cosine(count), block_bases.karhunen_loeve(images, count)):
    vectors = basis.vectors.reshape(768, count)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-9)


def test_the_cosines_are_those_of_scipy(images):
  basis = block_bases.cosine(768)
  block = images[0, :16, :16].astype(np.float64)
  ours = np.sort(np.abs(basis.vectors.reshape(768, 768).T @ block.reshape(-1)))
  colours = block @ block_bases._COLOURS.T
  theirs = np.sort(np.abs(scipy.fft.dctn(colours, axes=(0, 1), norm='ortho').reshape(-1)))
  np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_first_cosine_is_grey_and_the_next_are_the_slowest():
  basis = block_bases.cosine(3)
  np.testing.assert_allclose(basis.vectors[..., 0], 1 / np.sqrt(768))
  assert np.abs(basis.vectors[..., 1:].sum((0, 1))).max() < 1e-9
  assert np.ptp(basis.vectors[..., 1:], axis=2).max() < 1e-9  # without colour


@pytest.mark.parametrize('count', [4, 96, 192])
def test_the_transform_of_photographs_leaves_less_error_than_cosines(count, images):
  klt = block_bases.karhunen_loeve(images, count)
  assert remaining(klt, images, count) < remaining(block_bases.cosine(count), images, count)


def test_with_mirror_images_it_is_the_principal_components(images):
  """NumPy's singular vectors of the blocks and their three mirror images."""
  mirrored = np.concatenate([images, images[:, ::-1]])
  mirrored = np.concatenate([mirrored, mirrored[:, :, ::-1]])
  klt = block_bases.karhunen_loeve(images, 5)
  blocks = block_bases._blocks((mirrored - klt.mean).reshape(-1, 64, 3))
  _, _, components = np.linalg.svd(blocks, full_matrices=False)
  products = np.abs(components[:5] @ klt.vectors.reshape(768, 5))
  np.testing.assert_allclose(products, np.eye(5), atol=1e-6)
