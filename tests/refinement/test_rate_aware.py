import itertools

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_codec, make_patches, make_variable_codec, move
from tfusq.models import RoundingVisitor
from tfusq.refinement import rate_aware
from tfusq.refinement.picture import Best, Picture
from tfusq.training.distortions import MSE
from tfusq.transforms.pixels import from_uint8

LMBDA = 0.006
SEED = tf.constant(0, tf.int64)


@pytest.fixture(scope='module')
def linear():
  """A codec of a linear synthesis without overlap, whose distortion is quadratic."""
  transforms = tfusq.KLT(0.01, network=None)
  codec = make_codec(
    8,
    12,
    model=lambda *sizes: tfusq.MSHyper(*sizes, analysis=transforms, synthesis=transforms),
  )
  images = [make_patches().patch(index) for index in range(4)]
  codec.model.initialize_from_data(np.stack(images).astype(np.float32) / 255)
  return codec


@pytest.fixture(scope='module')
def x(photograph):
  return from_uint8(photograph[:32, :48])[None]


def make_picture(codec, x, gains=None):
  return Picture(codec.centred_model, gains, MSE(), LMBDA, x)


def choose(picture, latents, mask=1.0):
  """Chooses without a look, and returns all candidates that it would have looked at."""
  seen = []

  def look(candidate):
    seen.append({name: y.numpy() for name, y in candidate.items()})
    return tf.constant(-len(seen), tf.float64)

  y = latents[picture.model.image_latent]
  mask = tf.fill([1, y.shape[1], y.shape[2], 1], mask)
  best = Best(tf.constant(np.inf, tf.float64), latents)
  rate_aware.choose(picture, latents, mask, SEED, best, look)
  return seen


def rounded_cost(picture, latents):
  visitor = picture.rounded(latents)
  distortion = picture.distortion(picture.walk(visitor))
  return float(sum(each[0] for each in visitor.bits) + distortion)


def test_the_curvature_is_the_hessians_diagonal(linear, x, eagerly):
  """Against second differences, which are exact for a quadratic distortion."""
  picture = make_picture(linear, x)
  y_hat = picture.walk(picture.rounded(linear.model.latents(x)))
  estimate = rate_aware.curvatures(picture, y_hat, SEED)

  def distortion(channel, step):
    moved = y_hat.numpy()
    moved[0, 1, 1, channel] += step
    return float(picture.distortion(tf.constant(moved)))

  middle = distortion(0, 0)
  expected = []
  for channel in range(12):
    expected.append((distortion(channel, 4) - 2 * middle + distortion(channel, -4)) / 16)
  assert estimate.shape == [1, 1, 1, 12]
  # What is off the diagonal, products of orthogonal basis functions, is zero.
  np.testing.assert_allclose(estimate[0, 0, 0], expected, rtol=0.01)


def test_each_symbol_is_the_cheapest_of_its_two_candidates(linear, x, eagerly):
  """Against trying both candidates of single symbols in the whole picture."""
  picture = make_picture(linear, x)
  latents = linear.model.latents(x)
  y_hat = picture.walk(picture.rounded(latents)).numpy()
  chosen = choose(picture, latents)[0]['y']
  steps = np.round(chosen - y_hat)
  visitor = picture.rounded(latents)
  picture.walk(visitor)
  centre = visitor.parameters[-1][1].mean.numpy()
  towards = -np.sign(np.round(y_hat - centre))
  assert set(np.unique(steps * towards)) <= {0, 1}
  assert 5 < np.sum(steps != 0) < steps.size / 2

  def cost(index, step):
    moved = y_hat.copy()
    moved[index] += step
    return rounded_cost(picture, latents | {'y': tf.constant(moved)})

  indexes = [tuple(index) for index in np.argwhere(towards)]
  changed = [index for index in indexes if steps[index]][:12]
  kept = [index for index in indexes if not steps[index]][:12]
  for index, is_changed in [
    *zip(changed, itertools.repeat(True)),
    *zip(kept, itertools.repeat(False)),
  ]:
    gain = cost(index, 0) - cost(index, towards[index])
    assert (gain > -0.05) if is_changed else (gain < 0.05)


def test_the_cost_falls(linear, x, eagerly):
  picture = make_picture(linear, x)
  latents = linear.model.latents(x)
  before = rounded_cost(picture, latents)
  costs = [rounded_cost(picture, each) for each in choose(picture, latents)]
  assert len(costs) == rate_aware.PASSES
  assert min(costs) < 0.995 * before


def test_what_may_not_be_moved_stays_as_it_is(linear, x, eagerly):
  latents = linear.model.latents(x)
  for candidate in choose(make_picture(linear, x), latents, mask=0.0):
    for name, y in latents.items():
      np.testing.assert_array_equal(candidate[name], y)


MODELS = {
  'mixture': lambda: make_codec(entropy_model=tfusq.GaussianMixture()),
  'serial': lambda: make_codec(model=tfusq.MSContext, zero_centre=False),
  'off centre': lambda: make_codec(zero_centre=False),
  'slices': lambda: make_codec(model=lambda *sizes: tfusq.Charm(*sizes, slices=3)),
  'variable': make_variable_codec,
}


@pytest.mark.parametrize('kind', MODELS)
def test_chosen_symbols_are_rounded_to_themselves(kind, x, eagerly):
  codec = MODELS[kind]()
  move(codec)
  gains = None
  if codec.variable_rate is not None:
    gains = codec.variable_rate.gains(tf.constant([20]))
  picture = make_picture(codec, x, gains)
  latents = {name: 4 * y for name, y in picture.model.latents(x).items()}
  start = rounded_cost(picture, latents)
  candidates = choose(picture, latents)
  for candidate in candidates:
    visitor = RoundingVisitor(picture.model, candidate, picture.centre)
    y_hat = picture.walk(visitor)
    np.testing.assert_allclose(y_hat, candidate['y'], atol=1e-3)
  assert min(rounded_cost(picture, each) for each in candidates) < start
