import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq.refinement import Refinement
from tfusq.refinement.picture import Best, Picture, the_better
from tfusq.training.distortions import MSE
from tfusq.transforms.pixels import from_uint8

LMBDA = 0.05


@pytest.fixture(scope='module')
def x(photograph):
  return from_uint8(photograph[:64, :96])[None]


@pytest.fixture(scope='module')
def picture(trained, x):
  return Picture(trained.centred_model, None, MSE(), LMBDA, x)


def test_its_costs_are_those_of_the_codec_in_bits(trained, picture, x):
  latents = trained.model.latents(x)
  visitor = picture.rounded(latents)
  y_hat = picture.walk(visitor)
  figures = trained.hard(x)
  pixels = 64 * 96
  bits = sum(float(each[0]) for each in visitor.bits)
  assert bits == pytest.approx(float(figures.bpp) * pixels, rel=1e-5)
  expected = LMBDA * 255**2 * float(figures.mse) * pixels
  assert float(picture.distortion(y_hat)) == pytest.approx(expected, rel=1e-5)


def test_rounding_for_a_surrogate_gives_the_rounded_cost(trained, picture, x):
  rounding = tfusq.Quantizer(tfusq.Round(), tfusq.STE())
  latents = trained.model.latents(x)
  loss = picture.loss(
    latents, Refinement(rounding, rounding), tf.constant(0, tf.int64), tf.constant(0, tf.int64)
  )
  assert float(loss) == pytest.approx(64 * 96 * float(trained.hard(x).loss), rel=1e-5)


def test_noise_depends_on_seed_and_iteration_alone(trained, picture, x):
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.PGE())
  latents = trained.model.latents(x)

  def loss(seed, number):
    return float(
      picture.loss(
        latents,
        Refinement(noise, noise),
        tf.constant(seed, tf.int64),
        tf.constant(number, tf.int64),
      )
    )

  assert loss(1, 2) == loss(1, 2)
  assert len({loss(1, 2), loss(1, 3), loss(2, 2)}) == 3


@pytest.mark.parametrize('cost, expected', [(1.0, 5.0), (3.0, 0.0), (np.nan, 0.0)])
def test_only_the_better_is_kept(cost, expected):
  best = Best(tf.constant(2.0, tf.float64), {'y': tf.zeros([1, 2, 2, 3])})
  other = {'y': tf.fill([1, 2, 2, 3], 5.0)}
  kept = the_better(best, other, lambda latents: tf.constant(cost, tf.float64))
  assert float(kept.cost) == (1.0 if expected else 2.0)
  np.testing.assert_array_equal(kept.latents['y'], np.full([1, 2, 2, 3], expected))
