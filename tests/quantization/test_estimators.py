import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfusq import (
  AUN,
  EP,
  PGE,
  SGA,
  SHA,
  SR,
  SRA,
  STE,
  SUA,
  Estimator,
  Quantizer,
  Round,
  SGAHard,
  SUAn,
  Undefined,
  UQi,
  UQs,
)
from tfusq.entropy_models import gaussian_bits
from tfusq.quantization.soft_rounding import soft_round, soft_round_slope
from tfusq.quantization.temperature import describe


def rate(mean=0.0, scale=1.0):
  return lambda v: gaussian_bits(v, tf.constant(mean, v.dtype), tf.constant(scale, v.dtype))


@pytest.mark.parametrize(
  'name, make',
  [('AUN_EP_y', lambda alpha: AUN()), ('SUA_EP_y', SUA), ('SUAn_EP_y', SUAn), ('SRA_EP_y', SRA)],
)
def test_expected_gradient_matches_the_reference(name, make, reference, gradients):
  surrogate = make(1.0)
  quantizer = Quantizer(surrogate, EP())

  def loss(y, mean, scale):
    return quantizer.evaluate(lambda v: gaussian_bits(v, mean, scale), y, tf.zeros_like(y))

  for alpha in (1.0, 5.0, 10.0):
    if hasattr(surrogate, 'alpha'):
      surrogate.alpha.value.assign(alpha)
    rows = [row for row in reference['pointwise'] if row['alpha'] == alpha]
    assert len(rows) == 28
    points = (tf.constant([row[key] for row in rows], tf.float64) for key in ('y', 'mu', 'sigma'))
    _, (by_y, _, _) = gradients(loss, *points)
    expected = [row[name] for row in rows]
    np.testing.assert_allclose(by_y, expected, rtol=1e-6, atol=1e-6, err_msg=f'alpha = {alpha}')


def soft(y, alpha):
  middle = np.floor(y) + 0.5
  return middle + np.tanh(alpha * (y - middle)) / (2 * np.tanh(alpha / 2))


def density_of_sua(w, alpha):
  e = w - 0.5 - np.floor(w - 0.5) - 0.5
  return alpha / (2 * np.tanh(alpha / 2)) / np.cosh(alpha * e) ** 2


def logit_of_sga(v, tau):
  v = np.clip(v, 1e-5, 1 - 1e-5)
  return (np.arctanh(v) - np.arctanh(1 - v)) / tau


def integral(f, low, high):
  """Integrates by Gauss-Legendre between cell borders, where a soft slope has its kinks."""
  edges = [low, *np.arange(np.ceil(2 * low), np.floor(2 * high) + 1) / 2, high]
  nodes, weights = np.polynomial.legendre.leggauss(200)
  total = 0.0
  for start, end in zip(edges, edges[1:]):
    half = (end - start) / 2
    if half > 0:
      total += half * np.sum(weights * f((start + end) / 2 + half * nodes))
  return total


def two_point(y, up, loss):
  return (1 - up) * loss(np.floor(y)) + up * loss(np.floor(y) + 1)


def relaxed(y, tau, loss):
  """Integrates over the logistic noise itself, in which the integrand is smooth."""

  def f(g):
    sample = np.floor(y) + 1 / (1 + np.exp(-(logit_of_sga(y - np.floor(y), tau) + g) / tau))
    return loss(sample) / (2 * np.cosh(g / 2)) ** 2

  return integral(f, -36.0, 36.0)


# The expectation over u of the loss of a surrogate's sample, straight from its definition.
EXPECTED_LOSS = {
  AUN(): lambda y, loss: integral(loss, y - 0.5, y + 0.5),
  UQi(): lambda y, loss: integral(loss, y - 0.5, y + 0.5),
  UQs(): lambda y, loss: integral(loss, y - 0.5, y + 0.5),
  SHA(3.0): lambda y, loss: loss(soft(y, 3.0)),
  SUA(1.0): lambda y, loss: integral(lambda w: loss(w) * density_of_sua(w, 1.0), y - 0.5, y + 0.5),
  SUA(5.0): lambda y, loss: integral(lambda w: loss(w) * density_of_sua(w, 5.0), y - 0.5, y + 0.5),
  SUA(8.0): lambda y, loss: integral(lambda w: loss(w) * density_of_sua(w, 8.0), y - 0.5, y + 0.5),
  SUAn(5.0): lambda y, loss: integral(loss, soft(y, 5.0) - 0.5, soft(y, 5.0) + 0.5),
  SR(): lambda y, loss: two_point(y, y - np.floor(y), loss),
  SRA(5.0): lambda y, loss: two_point(y, soft(y, 5.0) - np.floor(y), loss),
  SGA(0.4): lambda y, loss: relaxed(y, 0.4, loss),
  SGAHard(0.3): lambda y, loss: two_point(
    y, 1 / (1 + np.exp(-logit_of_sga(y - np.floor(y), 0.3))), loss
  ),
}
# Half-integers, and integers where the expected loss is smooth there; a small scale, a tail.
POINTS = [(0.3, 0.0, 0.7), (-0.5, 0.2, 0.3), (1.7, 0.4, 0.25), (3.2, -0.3, 0.6)]
INTEGERS = [(1.0, 0.2, 0.4), (-2.0, -0.1, 1.0)]
SMOOTH_AT_INTEGERS = (AUN, UQi, UQs, SHA, SUA, SUAn)


@pytest.mark.parametrize('surrogate', EXPECTED_LOSS, ids=describe)
def test_gradients_of_latent_mean_and_scale_are_those_of_the_expected_loss(surrogate):
  """EP in the latent exactly; all else, PGE with it, in the Monte-Carlo mean, within z = 4.5."""
  samples = 100_000
  estimators = [PGE()] if surrogate.differentiable else []
  if surrogate.has_secant():
    estimators.append(EP())
  assert estimators
  for point in POINTS + INTEGERS * isinstance(surrogate, SMOOTH_AT_INTEGERS):
    numeric = derivatives_of_expected_bits(surrogate, *point)
    y, mean, scale = (tf.fill([samples, 1], tf.constant(value, tf.float32)) for value in point)
    u = surrogate.noise(y, [11, 12])
    for estimator in estimators:
      with tf.GradientTape() as tape:
        tape.watch([y, mean, scale])
        bits = Quantizer(surrogate, estimator).evaluate(
          lambda v: gaussian_bits(v, mean, scale), y, u
        )
      by_name = dict(zip(['y', 'mean', 'scale'], tape.gradient(bits, [y, mean, scale])))
      for (name, gradient), expected in zip(by_name.items(), numeric):
        gradient = gradient.numpy().astype(np.float64)
        case = type(estimator).__name__, name, point
        if name == 'y' and isinstance(estimator, EP):
          assert np.ptp(gradient) == 0, 'EP does not depend on the sample'
          assert gradient[0] == pytest.approx(expected, rel=2e-4, abs=2e-4), case
        else:
          error = gradient.std() / np.sqrt(samples) + 2e-4 * (1 + abs(expected))
          assert abs(gradient.mean() - expected) < 4.5 * error, case


@pytest.mark.parametrize(
  'surrogate',
  [surrogate for surrogate in EXPECTED_LOSS if surrogate.differentiable and surrogate.has_secant()],
  ids=describe,
)
def test_gradients_of_a_mixture_and_its_weights_are_those_of_the_expected_loss(surrogate):
  """EP in the latent exactly, its and PGE's other gradients in the mean, within z = 4.5."""
  samples = 100_000
  point = np.array([0.4, 0.2, -1.0, 0.3, 0.5, -0.3, 1.8, 0.4, 0.9, 0.6])  # y, logits, means, scales

  def expected(point):
    logits, means, scales = np.split(point[1:], 3)
    weights = np.exp(logits) / np.exp(logits).sum()

    def bits(w):
      upper = stats.norm.cdf((w[:, None] + 0.5 - means) / scales)
      lower = stats.norm.cdf((w[:, None] - 0.5 - means) / scales)
      return -np.log2(np.sum(weights * (upper - lower), -1))

    return EXPECTED_LOSS[surrogate](point[0], bits)

  def bits(v, parameters):
    logits, means, scales = tf.split(parameters, 3, axis=-1)
    log2_masses = -gaussian_bits(tf.repeat(v, 3, axis=-1), means, scales)
    return -tf.reduce_logsumexp(
      tf.nn.log_softmax(logits) + np.log(2) * log2_masses, -1, keepdims=True
    ) / np.log(2)

  numeric = differences(expected, point)
  y = tf.fill([samples, 1], tf.constant(point[0], tf.float32))
  parameters = tf.repeat(tf.constant(point[None, 1:], tf.float32), samples, axis=0)
  u = surrogate.noise(y, [13, 14])
  for estimator in (PGE(), EP()):
    with tf.GradientTape() as tape:
      tape.watch([y, parameters])
      loss = Quantizer(surrogate, estimator).evaluate(lambda v: bits(v, parameters), y, u)
    gradients = np.concatenate(tape.gradient(loss, [y, parameters]), -1).astype(np.float64)
    if isinstance(estimator, EP):
      np.testing.assert_allclose(gradients[:, 0], numeric[0], rtol=2e-4)
    errors = gradients.std(0) / np.sqrt(samples) + 2e-4
    assert (np.abs(gradients.mean(0) - numeric) < 4.5 * errors).all(), type(estimator).__name__
    assert np.abs(numeric[1:4]).max() > 0.5  # the weights matter


def derivatives_of_expected_bits(surrogate, *point):
  """Returns the derivatives with respect to the latent, the mean and the scale."""

  def expected(point):
    y, mean, scale = point

    def bits(w):
      d = np.abs(w - mean)
      near, far = stats.norm.logcdf((0.5 - d) / scale), stats.norm.logcdf((-0.5 - d) / scale)
      return -(near + np.log1p(-np.exp(far - near))) / np.log(2)

    return EXPECTED_LOSS[surrogate](y, bits)

  return differences(expected, np.array(point))


def differences(f, x, h=1e-5):
  """Central differences of `f` with respect to each number in `x`."""
  steps = h * np.eye(len(x))
  return np.array([(f(x + step) - f(x - step)) / (2 * h) for step in steps])


@pytest.mark.parametrize(
  'surrogate',
  [surrogate for surrogate in EXPECTED_LOSS if isinstance(surrogate, (SR, SRA))],
  ids=describe,
)
def test_expected_gradient_takes_the_limit_from_above_at_integers(surrogate):
  """Where two-point laws have a kink."""
  y = tf.constant([1.0, 1.0 + 1e-4, -2.0, -2.0 + 1e-4])
  with tf.GradientTape() as tape:
    tape.watch(y)
    bits = Quantizer(surrogate, EP()).evaluate(rate(0.2, 0.6), y, tf.zeros_like(y))
  by_y = tape.gradient(bits, y).numpy()
  np.testing.assert_allclose(by_y[::2], by_y[1::2], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize('kind', [AUN, SUA, SUAn, SR, SRA])
def test_expected_gradient_is_stable_where_float32_is_short(kind):
  """Small scales, far tails, integers and half-integers, hot: against float64."""
  y, mean, scale = (
    grid.ravel()
    for grid in np.meshgrid(
      [0.0, 1.0, 0.5, -1.5, 2.3, 7.7, 40.0, -1e3], [0.0, 0.25], [1e-3, 0.02, 0.11, 1.0, 30.0]
    )
  )
  for surrogate in [kind()] if kind in (AUN, SR) else map(kind, (1e-3, 5.0, 12.0, 20.0)):
    short, long = [], []
    for dtype, results in ((tf.float32, short), (tf.float64, long)):
      latent, m, s = (tf.constant(x, dtype) for x in (y, mean, scale))
      with tf.GradientTape() as tape:
        tape.watch(latent)
        bits = Quantizer(surrogate, EP()).evaluate(
          lambda v: gaussian_bits(v, m, s), latent, tf.zeros_like(latent)
        )
      results += tape.gradient(bits, latent).numpy().tolist()
    np.testing.assert_allclose(short, long, rtol=3e-3, atol=1e-3, err_msg=describe(surrogate))
    assert np.abs(long).max() > 1e5


def test_straight_through_mean_and_variance_match_the_reference(reference):
  rows = [row for row in reference['pointwise'] if row['alpha'] == 5 and row['sigma'] == 1][:6]
  assert rows
  for row in rows:
    surrogate = SUA(5.0)
    latent = tf.fill([200_000], tf.constant(row['y']))
    u = surrogate.noise(latent, [21, 22])
    with tf.GradientTape() as tape:
      tape.watch(latent)
      loss = Quantizer(surrogate, STE()).evaluate(rate(row['mu'], row['sigma']), latent, u)
    sample = tape.gradient(loss, latent).numpy().astype(np.float64)
    error = sample.std() / np.sqrt(sample.size)
    assert abs(sample.mean() - row['SUA_STE_mean']) < 4 * error + 1e-6, row
    assert sample.var() == pytest.approx(row['SUA_STE_var'], rel=0.03, abs=1e-6), row


def test_straight_through_keeps_the_soft_slope_and_nothing_else(latents, gradients):
  alpha = tf.constant(5.0)
  _, (by_y, _) = gradients(Quantizer(SUA(5.0), STE()), latents, tf.zeros_like(latents))
  np.testing.assert_allclose(by_y, soft_round_slope(latents, alpha), rtol=1e-6)
  value, (by_y, _) = gradients(Quantizer(Round(), STE()), latents, tf.zeros_like(latents))
  np.testing.assert_array_equal(value, tf.round(latents))
  np.testing.assert_array_equal(by_y, tf.ones_like(latents))


def test_expected_gradient_equals_perturb_and_apply(gradients):
  """TFC's route: the loss of SUA as a function of s(y) + u."""
  tfc = pytest.importorskip('tensorflow_compression')
  y = tf.constant(np.linspace(-2.2, 2.2, 45) + 0.003, tf.float64)
  mean = tf.fill(y.shape, tf.constant(0.2, tf.float64))
  scale = tf.fill(y.shape, tf.constant(0.6, tf.float64))
  alpha, two = tf.constant(5.0, tf.float64), tf.constant(2.0, tf.float64)

  def theirs(y, mean, scale):
    def loss(v, mean, scale):
      prior = tfc.NoisySoftRoundedNormal(alpha=alpha, loc=mean, scale=scale)
      return -prior.log_prob(v) / tf.math.log(two)

    soft = tfc.soft_round(y, alpha)
    return tfc.perturb_and_apply(loss, soft, mean, scale, expected_grads=True)[0]

  quantizer = Quantizer(SUA(5.0), EP())

  def ours(y, mean, scale):
    return quantizer.evaluate(lambda v: gaussian_bits(v, mean, scale), y, tf.zeros_like(y))

  _, (by_y, _, _) = gradients(ours, y, mean, scale)
  _, (expected, _, _) = gradients(theirs, y, mean, scale)
  np.testing.assert_allclose(by_y, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('estimator', [PGE(), EP()])
def test_parameters_get_the_gradient_at_the_sample(estimator, gradients):
  surrogate = SUA(5.0)
  y = tf.constant(np.linspace(-2, 2, 17), tf.float64)
  u = surrogate.noise(y, [31, 32])
  mean, scale = y * 0 + 0.1, y * 0 + 0.4
  _, (_, by_mean, by_scale) = gradients(
    lambda y, mean, scale: Quantizer(surrogate, estimator).evaluate(
      lambda v: gaussian_bits(v, mean, scale), y, u
    ),
    y,
    mean,
    scale,
  )
  sample = surrogate(y, u)
  _, (_, expected_mean, expected_scale) = gradients(gaussian_bits, sample, mean, scale)
  np.testing.assert_allclose(by_mean, expected_mean, rtol=1e-9)
  np.testing.assert_allclose(by_scale, expected_scale, rtol=1e-9)


@pytest.mark.parametrize(
  'surrogate, estimator, remedy', [(Round(), PGE(), 'use STE'), (Round(), EP(), 'use STE')]
)
def test_undefined_pairs_are_refused_when_built_naming_the_remedy(surrogate, estimator, remedy):
  with pytest.raises(Undefined, match=remedy):
    Quantizer(surrogate, estimator)


def test_expected_gradient_of_a_loss_that_mixes_components_is_refused():
  quantizer = Quantizer(SUA(5.0), EP())
  y = tf.ones([3])
  with pytest.raises(Undefined, match='PGE or STE'):
    quantizer(y, tf.zeros_like(y))
  with pytest.raises(ValueError, match='keep the shape'):
    quantizer.evaluate(tf.reduce_sum, y, tf.zeros_like(y))
  unknown = tf.function(
    lambda y: quantizer.evaluate(
      lambda v: tf.reduce_sum(v, -1, keepdims=True), y, tf.zeros_like(y)
    ),
    input_signature=[tf.TensorSpec([None, None], tf.float32)],
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match='keep the shape'):
    unknown(tf.ones([4, 5]))


def test_proxy_of_sua_is_soft_rounding(latents):
  np.testing.assert_array_equal(SUA(5.0).proxy(latents), soft_round(latents, tf.constant(5.0)))


def test_an_estimator_without_its_gradient_is_not_built():
  class Empty(Estimator):
    elementwise = True

  with pytest.raises(TypeError, match='abstract.*Empty.*quantize'):
    Empty()
