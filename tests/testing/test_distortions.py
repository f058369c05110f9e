"""Wrong distortions are refused by the check that is made for their fault."""

import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, distortions


class OfEachImage(tfusq.Distortion):
  def __call__(self, x, reconstruction):
    return tf.reduce_mean((x - reconstruction) ** 2, axis=(1, 2, 3))


class Double(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return tf.cast(super().__call__(x, reconstruction), tf.float64)


class BeginsAtOne(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return 1 + super().__call__(x, reconstruction)


class IsASimilarity(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return -super().__call__(x, reconstruction)


class IsBlind(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return 0 * super().__call__(x, reconstruction)


class RootMeanSquare(tfusq.MSE):
  """Its gradient is infinite at equality."""

  def __call__(self, x, reconstruction):
    return tf.sqrt(super().__call__(x, reconstruction))


class OfEightBits(tfusq.MSE):
  """Rounding has no gradient."""

  def __call__(self, x, reconstruction):
    return super().__call__(x, tf.round(255 * reconstruction) / 255)


class OfTheSum(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return tf.reduce_sum((x - reconstruction) ** 2)


class OfTheWorst(OfEachImage):
  def __call__(self, x, reconstruction):
    return tf.reduce_max(super().__call__(x, reconstruction))


class NeedsItsSize(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return super().__call__(x, tf.reshape(reconstruction, reconstruction.shape.as_list()))


@pytest.mark.parametrize(
  'distortion, check, number',
  [
    (OfEachImage(), distortions.is_a_float32_scalar, r'a float32 tensor of shape \(2,\)'),
    (Double(), distortions.is_a_float32_scalar, 'a float64 tensor'),
    (BeginsAtOne(), distortions.is_zero_at_equality, 'equal varied images have the distortion 1'),
    (IsASimilarity(), distortions.is_never_negative, 'noise, the distortion is -0.0'),
    (IsBlind(), distortions.grows_with_noise, 'deviation 0.02 has the distortion 0'),
    (RootMeanSquare(), distortions.has_finite_gradients, 'is the images, .* 18432 of 18432'),
    (OfEightBits(), distortions.has_finite_gradients, 'with noise, all gradients are 0'),
    (OfTheSum(), distortions.is_the_mean_over_images, 'a batch has the distortion .* in the mean'),
    (OfTheWorst(), distortions.is_the_mean_over_images, 'a batch has the distortion'),
    (NeedsItsSize(), distortions.agrees_when_traced, 'with 6 unknown dimensions cannot be traced'),
  ],
)
def test_faults_are_caught_by_the_right_check(distortion, check, number):
  with pytest.raises(NonConformance, match=number):
    check(distortion)
  assert check in [bound.check for bound in testing.checks_of(distortion)]
