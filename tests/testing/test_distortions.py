"""Wrong distortions are refused by the check that is made for their fault."""

import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, distortions


class OfTheBatch(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return tf.reduce_mean(super().__call__(x, reconstruction))


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


class OfTheWorst(tfusq.MSE):
  def __call__(self, x, reconstruction):
    worst = tf.reduce_max(super().__call__(x, reconstruction))
    return tf.repeat(worst, tf.shape(x)[0])


class NeedsItsSize(tfusq.MSE):
  def __call__(self, x, reconstruction):
    return super().__call__(x, tf.reshape(reconstruction, reconstruction.shape.as_list()))


@pytest.mark.parametrize(
  'distortion, check, number',
  [
    (OfTheBatch(), distortions.has_a_value_for_each_image, r'a float32 tensor of shape \(\)'),
    (Double(), distortions.has_a_value_for_each_image, 'a float64 tensor'),
    (BeginsAtOne(), distortions.is_zero_at_equality, 'equal varied images have the distortion 1'),
    (IsASimilarity(), distortions.is_never_negative, 'noise, the distortion is -0.0'),
    (IsBlind(), distortions.grows_with_noise, 'deviation 0.02 has the distortion 0'),
    (RootMeanSquare(), distortions.has_finite_gradients, 'is the images, .* 18432 of 18432'),
    (OfEightBits(), distortions.has_finite_gradients, 'with noise, all gradients are 0'),
    (OfTheWorst(), distortions.judges_each_image_by_itself, 'alone, and .* in a batch'),
    (NeedsItsSize(), distortions.agrees_when_traced, 'with 6 unknown dimensions cannot be traced'),
  ],
)
def test_faults_are_caught_by_the_right_check(distortion, check, number):
  with pytest.raises(NonConformance, match=number):
    check(distortion)
  assert check in [bound.check for bound in testing.checks_of(distortion)]
