"""All steps together, with the estimated cost of rounded latents in the place of a file's."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_refiner
from tfusq.models import in_tiles
from tfusq.refinement import Budget, Refinement, Refiner, regions
from tfusq.refinement.picture import Picture
from tfusq.training.distortions import MSE, MSSSIM
from tfusq.transforms.pixels import from_uint8, to_uint8


@pytest.fixture(scope='module')
def refiner(trained):
  return make_refiner(trained)


@pytest.fixture(scope='module')
def image(photograph):
  return tf.constant(photograph[100:164, 100:196])


def budget(iterations, seed=0):
  return Budget(tf.constant(iterations, tf.int64), tf.constant(np.inf), tf.constant(seed, tf.int64))


def estimated_cost(codec):
  def look(image, latents):
    picture = Picture(codec.centred_model, None, MSE(), codec.lmbda, from_uint8(image)[None])
    visitor = picture.rounded(latents)
    distortion = picture.distortion(picture.walk(visitor))
    return tf.cast(sum(each[0] for each in visitor.bits) + distortion, tf.float64)

  return look


@pytest.fixture(scope='module')
def refine(trained, refiner):
  look = estimated_cost(trained)

  def function(image, iterations, seed):
    latents = in_tiles.latents(trained.model, image)
    refined = refiner.refined(image, latents, 0, None, budget(iterations, seed), look)
    return look(image, latents), look(image, refined), refined

  return function


def test_each_step_gains(refine, image, eagerly):
  costs = []
  for iterations in (0, 30):
    before, after, _ = refine(image, iterations, 0)
    costs.append(float(after / before))
  assert costs[1] < costs[0] < 1


@pytest.mark.long
def test_a_seed_and_a_number_of_iterations_decide_all(refine, image, eagerly):
  one, again, other = (refine(image, 30, seed)[2]['y'] for seed in (1, 1, 2))
  np.testing.assert_array_equal(one, again)
  assert (one.numpy() != other.numpy()).any()


def test_regions_gain_too(image, trained, refiner, monkeypatch, eagerly):
  monkeypatch.setattr(regions, 'SIDE', 64)
  monkeypatch.setattr(regions, 'SURROUNDINGS', 64)
  look = estimated_cost(trained)
  latents = in_tiles.latents(trained.model, image)
  refined = refiner.refined(image, latents, 0, None, budget(0), look)
  assert float(look(image, refined)) < float(look(image, latents))


@pytest.mark.parametrize('side', [1024, 64])
def test_the_distortion_is_that_of_8_bit_pixels(side, refiner, image, trained, monkeypatch):
  monkeypatch.setattr(regions, 'SIDE', side)
  reconstruction = to_uint8(trained.centred_model.round_trip(from_uint8(image)[None])[0])
  squares = np.square(image.numpy().astype(float) - reconstruction.numpy())
  expected = trained.lmbda * squares.mean() * squares.size / 3
  measured = float(refiner.distortion(image, reconstruction, 0))
  assert measured == pytest.approx(expected, rel=1e-6)


def test_each_quality_has_its_lambda(variable):
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.PGE())
  refiner = Refiner(variable.centred_model, Refinement(noise, noise), MSE(), variable.lmbda)
  lambdas = [float(refiner.lmbda(tf.constant(step))) for step in (0, 16, 32)]
  np.testing.assert_allclose(lambdas, [0.003, np.sqrt(0.003 * 0.05), 0.05], rtol=1e-5)


def test_a_picture_may_be_too_small_for_the_distortion(trained):
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.PGE())
  refiner = Refiner(trained.centred_model, Refinement(noise, noise), MSSSIM(), trained.lmbda)
  assert not refiner.takes(tf.zeros([160, 300, 3], tf.uint8))
  assert refiner.takes(tf.zeros([161, 300, 3], tf.uint8))
