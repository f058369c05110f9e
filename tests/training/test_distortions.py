"""Distortions against NumPy, SciPy and finite differences, and codecs that are trained for them."""

import re

import numpy as np
import pytest
import tensorflow as tf

import placement
from making import TINY, make_codec, make_patches
from tfusq import MSE, MSSSIM, Distortion, WeightedSum, config
from tfusq.evaluation import metrics
from tfusq.testing.requirements import gradient_of
from tfusq.training import fixed_order, train
from tfusq.training.execution import execution
from tfusq.training.recipes import TrainingError
from tfusq.transforms import block_bases
from tfusq.transforms.pixels import from_uint8


@pytest.fixture(scope='module')
def pair():
  """Two images of 176 pixels a side, and others of 16 levels in their place; 8-bit."""
  images = np.stack([make_patches(patch_size=176).patch(index) for index in range(2)])
  return images, images // 16 * 16


def tensors(*images):
  return [tf.constant(image / 255, tf.float32) for image in images]


def test_the_squared_error_is_numpys(pair):
  x, y = pair
  expected = np.mean((x / 255 - y / 255) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(MSE()(*tensors(x, y)), expected, rtol=1e-5)
  assert MSE.unit == 255**2


def test_ms_ssim_is_scipys_for_each_image_of_a_batch(pair):
  x, y = pair
  expected = [1 - metrics.ms_ssim(*images) for images in zip(x, y, strict=True)]
  assert expected[0] != pytest.approx(expected[1], rel=0.1)
  np.testing.assert_allclose(MSSSIM()(*tensors(x, y)), expected, atol=1e-5)


@pytest.mark.parametrize('size', [(161, 161), (177, 202)])
def test_ms_ssim_is_scipys_at_any_size(photograph, size):
  x = photograph[: size[0], : size[1]]
  y = x // 32 * 32
  value = float(MSSSIM()(*tensors(x[None], y[None]))[0])
  assert value == pytest.approx(1 - metrics.ms_ssim(x, y), abs=1e-5)


def test_ms_ssim_is_tensorflows_beyond_0_and_1(pair):
  x, _ = tensors(*pair)
  y = x + 0.2 * tf.random.stateless_normal(x.shape, [1, 2])
  expected = 1 - tf.image.ssim_multiscale(x, y, 1.0)
  np.testing.assert_allclose(MSSSIM()(x, y), expected, atol=1e-5)


@pytest.mark.parametrize('measure', [MSSSIM(), WeightedSum([MSE(), MSSSIM()], [1.0, 500.0])])
def test_gradients_are_those_of_finite_differences(measure, pair):
  x, y = tensors(*pair)

  def total(y):
    return tf.reduce_sum(measure(x, y))

  _, (gradient,) = gradient_of(total, y)
  # Along the gradient, where the change is largest beside the rounding errors of float32.
  direction = gradient / tf.norm(gradient)
  upper, lower = (float(total(y + step * direction)) for step in (0.5, -0.5))
  assert float(tf.reduce_sum(gradient * direction)) == pytest.approx(upper - lower, rel=0.02)


def test_where_a_similarity_is_negative_the_gradient_leads_back(pair):
  """The value is that of MS-SSIM, and TensorFlow's own has no gradient there."""
  x, _ = tensors(*pair)
  y = tf.Variable(1 - x)
  values = []
  for _ in range(8):
    with tf.GradientTape() as tape:
      value = tf.reduce_mean(MSSSIM()(x, y))
    gradient = tape.gradient(value, y)
    values.append(float(value))
    y.assign_sub(40 * gradient / tf.norm(gradient))
  assert values[0] == 1
  assert values[-1] < 0.9


def test_images_that_are_too_small_are_refused():
  small = tf.zeros([1, 160, 200, 3])
  message = 'MSSSIM needs images with sides of at least 161 pixels, not 160'
  with pytest.raises(ValueError, match=message):
    MSSSIM()(small, small)


def test_a_weighted_sum_is_that_of_its_distortions_in_their_units(pair):
  x, y = tensors(*pair)
  measure = WeightedSum([MSE(), MSSSIM(), MSE()], [0.5, 30.0, 1.0])
  expected = 1.5 * 255**2 * MSE()(x, y) + 30 * MSSSIM()(x, y)
  np.testing.assert_allclose(measure(x, y), expected, rtol=1e-5)
  assert measure.unit == 1 and measure.least_side == 161


@pytest.mark.parametrize(
  'distortions, weights, message',
  [
    ([MSE()], [1.0, 2.0], 'as many weights, not 1 and 2'),
    ([], [], 'at least one distortion'),
    ([MSE()], [0.0], 'weights must be positive and finite, not 0.0'),
    ([MSE], [1.0], 'distortions must be distortions, not <class'),
  ],
)
def test_what_is_no_weighted_sum_is_refused(distortions, weights, message):
  with pytest.raises((TypeError, ValueError), match=message):
    WeightedSum(distortions, weights)


def test_a_step_stays_on_the_device_and_adds_in_one_order(pair):
  x, y = tensors(*pair)
  measure = WeightedSum([MSE(), MSSSIM()], [1.0, 500.0])

  def step(x, y):
    with tf.GradientTape() as tape:
      tape.watch(y)
      value = tf.reduce_mean(measure(x, y))
    return fixed_order.gradients(tape, value, [y])

  specification = tf.TensorSpec(x.shape)
  traced = tf.function(step).get_concrete_function(specification, specification)
  assert not placement.findings(traced)
  assert placement.most_terms(traced) <= 2


@pytest.mark.slow
def test_a_compiled_gradient_is_the_plain_one_up_to_rounding(pair):
  """XLA takes long for it."""
  x, y = tensors(*pair)

  def step(y):
    with tf.GradientTape() as tape:
      tape.watch(y)
      value = MSSSIM()(x, y)
    return tape.gradient(value, y)

  compiled, plain = tf.function(step, jit_compile=True)(y).numpy(), step(y).numpy()
  np.testing.assert_allclose(compiled, plain, atol=1e-3 * np.abs(plain).max())


@pytest.mark.parametrize('precision', ['float32', 'mixed_float16'])
def test_a_loss_is_the_rate_plus_lambda_times_the_measure(precision):
  batch = next(iter(make_patches(1, patch_size=176).dataset()))
  x = from_uint8(batch['image'])
  with execution(precision):
    codec = make_codec(distortion_measure=MSSSIM(), lmbda=16.64)
    terms = codec.soft(x, batch['index'])
  assert terms.measured.dtype == terms.bpp.dtype == tf.float32
  similarity = tf.reduce_mean(tf.image.ssim_multiscale(x, terms.reconstruction, 1.0))
  expected = float(terms.bpp) + 16.64 * (1 - float(similarity))
  assert float(terms.loss) == pytest.approx(expected, rel=1e-5)
  assert float(terms.mse) == pytest.approx(
    float(tf.reduce_mean((x - terms.reconstruction) ** 2)), rel=1e-5
  )


def test_another_measure_is_refused_by_its_name():
  with pytest.raises(TypeError, match='Codec.distortion_measure must be a Distortion, not 3'):
    make_codec(distortion_measure=3)


class ByNetwork(Distortion):
  """Squared error of the features of a network, as LPIPS is: a stranger's."""

  unit = 10.0

  def __init__(self):
    self.features = tf.keras.layers.Conv2D(4, 3, 2, activation='relu')
    self.features.build([None, None, None, 3])

  def __call__(self, x, reconstruction):
    difference = self.features(x) - self.features(reconstruction)
    return tf.reduce_mean(difference**2, axis=(1, 2, 3))


@pytest.mark.usefixtures('eagerly')
def test_the_network_of_a_measure_is_neither_trained_nor_saved(tmp_path, capsys):
  measure = ByNetwork()
  before = measure.features.get_weights()
  codec = make_codec(distortion_measure=measure)
  count = len(codec.trainable_variables)
  assert count == len(make_codec().trainable_variables)
  train.train(
    str(tmp_path),
    lambda: 'recipe',
    codec,
    tf.keras.optimizers.Adam(1e-3),
    make_patches(),
    steps=1,
    interval=1,
    validation=make_patches(folder='heldout'),
    validation_batches=1,
  )
  np.testing.assert_array_equal(measure.features.get_weights()[0], before[0])
  saved = tf.train.load_checkpoint(str(tmp_path)).get_variable_to_shape_map()
  assert not [name for name in saved if 'features' in name or 'measure' in name]

  # The lines tell the distortion in its unit, which the PSNR does not.
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) == 2 and all(re.search(r' dB  D \d', line) for line in lines)


def test_patches_that_are_too_small_are_refused_before_anything_is_written(tmp_path):
  arguments = (str(tmp_path / 'run'), lambda: 'recipe')
  optimizer = tf.keras.optimizers.Adam(1e-3)
  codec = make_codec(distortion_measure=MSSSIM())
  message = (
    "^train.data's patches of 128 pixels a side are too small for MSSSIM, which needs at least 161$"
  )
  with pytest.raises(TrainingError, match=message):
    train.train(*arguments, codec, optimizer, make_patches(patch_size=128), 1, 1)
  with pytest.raises(TrainingError, match="train.validation's patches of 64 pixels"):
    train.train(
      *arguments, codec, optimizer, make_patches(patch_size=176), 1, 1, validation=make_patches()
    )
  assert not (tmp_path / 'run').exists()


def test_one_gin_file_has_the_light_model_trained_for_ms_ssim(caplog):
  files = [
    'models/klt_hyper_zero.gin',
    'quantizers/sua_ep_sua_ste.gin',
    'stages/joint_hour.gin',
    'data/folder.gin',
    'distortions/ms_ssim.gin',
  ]
  config.parse(files, ['LMBDA = 16.64', 'Patches.batch_size = 1', *TINY], [])
  codec = config.build_parameter('train.codec')
  data = config.build_parameter('train.data')
  config.recipe()
  assert not [line for line in caplog.messages if 'MSSSIM' in line or 'SQUARED_ERROR' in line]

  codec.create()
  kernel = codec.model.synthesis.linear.kernel.numpy().reshape(768, 6)
  step = block_bases.quantization_step(16.64 / 2500)
  np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1 / step, rtol=1e-5)

  batch = next(iter(data.dataset()))
  terms = codec.hard(from_uint8(batch['image']))
  assert data.patch_size == 192 and 0 < float(terms.measured) < 0.5
  assert codec.lmbda == 16.64
  assert float(terms.distortion) == pytest.approx(16.64 * float(terms.measured), rel=1e-5)


def test_gin_binds_a_weighted_sum():
  bindings = [
    'Codec.distortion_measure = @WeightedSum()',
    'WeightedSum.distortions = (@MSE(), @MSSSIM())',
    'WeightedSum.weights = (1.0, 500)',
  ]
  config.parse([], bindings, [])
  measure = config.build_parameter('Codec.distortion_measure')
  assert measure.weights == (1, 500)
  assert [type(each) for each in measure.distortions] == [MSE, MSSSIM]
