import json
import math

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_codec
from tfusq.evaluation import metrics, operating_points
from tfusq.evaluation.operating_points import (
  Choice,
  Mismatch,
  anchor_points,
  exported_points,
  measure,
)
from tfusq.export import container
from tfusq.export.client import CodecError
from tfusq.export.effort import Effort
from tfusq.image_files import image_hash
from tfusq.transforms import pixels


def test_measurements_are_of_real_bytes(exported_codec, photograph):
  image = photograph[:64]
  measurements = measure(exported_codec, image)
  data = exported_codec.compress(image)
  assert measurements['bytes'] == len(data)
  assert measurements['bpp'] == pytest.approx(8 * len(data) / (64 * 451))
  assert measurements['coded-bpp'] == pytest.approx(
    8 * (len(data) - container.read_header(data).bytes) / (64 * 451)
  )
  assert measurements['psnr-rgb'] == pytest.approx(
    metrics.psnr(image, exported_codec.decompress(data))
  )
  assert measurements['estimated-bpp'] == pytest.approx(measurements['coded-bpp'], rel=0.1)


def test_a_decoder_that_differs_is_an_error(exported_codec, photograph):
  class Wrong:
    def __getattr__(self, name):
      return getattr(exported_codec, name)

    def decompress(self, data):
      return exported_codec.decompress(data) ^ np.uint8(1)

  with pytest.raises(Mismatch, match='the decoder does not give'):
    measure(Wrong(), photograph[:32, :32])


def test_an_exported_codec_is_known_by_its_identity(exported_path, photograph):
  (point,) = exported_points(str(exported_path))
  description = json.loads((exported_path / 'codec.json').read_text())
  assert (point.label, point.description) == (description['identity'], description)
  assert exported_points(str(exported_path))[0].key == point.key
  with point.open() as measure_image:
    assert measure_image(photograph[:32, :32])['bytes'] > 0


def test_mismatch_is_of_the_training_time_forward_calculation_against_rounding(photograph):
  codec = make_codec()
  image = photograph[:64, :80]
  measurements = operating_points.train_test_mismatch(codec, 30)(image)
  alpha = codec.temperatures()['y/rate/SUA.alpha']
  assert float(alpha) == pytest.approx(1 + 11 * 30 / 60)
  x = pixels.from_uint8(image)[None]
  soft = codec.soft(x, tf.constant([int(image_hash(image)[:8], 16)], tf.int64))
  hard = codec.hard(x)
  assert measurements['surrogate-bpp'] == pytest.approx(float(soft.bpp), rel=1e-5)
  assert measurements['surrogate-psnr-rgb'] == pytest.approx(
    float(tf.image.psnr(x, soft.reconstruction, 1)[0]), abs=1e-3
  )
  assert measurements['rate-mismatch'] == pytest.approx(float(soft.bpp - hard.bpp), abs=1e-5)
  assert measurements['distortion-mismatch'] == pytest.approx(
    255**2 * float(soft.mse - hard.mse), abs=1e-2
  )


class Absolute(tfusq.Distortion):
  """Mean absolute error, for sides of 64 pixels or more."""

  unit = 255.0
  least_side = 64

  def __call__(self, x, reconstruction):
    return tf.reduce_mean(tf.abs(x - reconstruction), axis=(1, 2, 3))


@pytest.mark.usefixtures('eagerly')
def test_a_run_is_measured_by_the_distortion_that_it_is_trained_for(photograph, exported_codec):
  codec = make_codec(distortion_measure=Absolute())
  image = photograph[:64, :80]
  mismatch = operating_points.train_test_mismatch(codec, 30)
  found = mismatch(image)
  index = tf.constant([int(image_hash(image)[:8], 16)], tf.int64)
  x = pixels.from_uint8(image)[None]
  error = np.mean(np.abs(x - codec.soft(x, index).reconstruction))
  assert found['surrogate-distortion'] == pytest.approx(255 * error, rel=1e-4)
  small = mismatch(image[:48])
  assert math.isnan(small['surrogate-distortion']) and small['surrogate-bpp'] > 0

  decoded = operating_points.measure(
    exported_codec,
    image,
    lambda image, decoded: operating_points.trained_distortion(codec, image, decoded),
  )
  pixel_values = exported_codec.decompress(exported_codec.compress(image)).astype(int)
  assert decoded['distortion'] == pytest.approx(np.mean(np.abs(image - pixel_values)), rel=1e-5)
  assert 'distortion' not in measure(exported_codec, image)
  assert operating_points.trained_distortion(make_codec(), image, image) == {}


@pytest.mark.usefixtures('eagerly')
def test_rounding_has_no_mismatch(photograph):
  rounding = tfusq.Quantizer(tfusq.Round(), tfusq.STE())
  codec = make_codec(rate=rounding, distortion=rounding)
  codec.quantizers['z'] = (rounding, rounding)
  measurements = operating_points.train_test_mismatch(codec, 0)(photograph[:64, :64])
  assert measurements['rate-mismatch'] == pytest.approx(0, abs=1e-5)
  assert measurements['distortion-mismatch'] == pytest.approx(0, abs=1e-3)


def test_a_live_anchor_is_a_point_at_each_setting(photograph):
  points = anchor_points('jpeg')
  assert len(points) >= 6 and len({point.key for point in points}) == len(points)
  rates = []
  for point in (points[0], points[-1]):
    with point.open() as measure_image:
      rates.append(measure_image(photograph[:64, :64])['bpp'])
  assert rates[0] != rates[1] and point.description['setting'] and point.description['versions']


def test_a_codec_of_variable_rate_is_evaluated_at_all_levels(variable_path, variable_codec):
  points = exported_points(str(variable_path))
  lambdas = variable_codec.qualities.lambdas
  assert [point.description['quality'] for point in points] == [1.0, 2.0]
  assert [point.description['lmbda'] for point in points] == pytest.approx(lambdas)
  assert len({point.key for point in points}) == 2
  identity = variable_codec.description['identity']
  assert [point.label for point in points] == [f'{identity} 1', f'{identity} 2']


def test_qualities_are_chosen_by_number_or_lambda(
  variable_path, variable_codec, exported_path, photograph
):
  chosen = exported_points(str(variable_path), Choice(qualities=(2.0, 1.5, 1.501)))
  assert [point.description['quality'] for point in chosen] == [1.5, 2.0]
  with chosen[0].open() as low, chosen[1].open() as high:
    image = photograph[:40, :56]
    assert low(image)['bytes'] < high(image)['bytes']

  middle = math.sqrt(math.prod(variable_codec.qualities.lambdas))
  (point,) = exported_points(str(variable_path), Choice(lmbda=middle))
  assert point.description['quality'] == 1.5
  # As a sweep does of any run.
  assert len(exported_points(str(exported_path), Choice(lmbda=middle))) == 1
  with pytest.raises(CodecError, match='has a fixed rate'):
    exported_points(str(exported_path), Choice(qualities=(1.5,)))


@pytest.mark.usefixtures('eagerly')
def test_the_mismatch_of_a_quality_is_that_of_its_gains(variable, photograph):
  image = photograph[:64, :64]
  low, high = (
    operating_points.train_test_mismatch(variable, 0, step)(image)['surrogate-bpp']
    for step in (0, 32)
  )
  assert low < high


def test_a_refined_point_is_another_point(refining_path, exported_path, trained, photograph):
  (plain,) = exported_points(str(refining_path))
  points = [exported_points(str(refining_path), effort=Effort(n))[0] for n in (0, 10)]
  assert len({plain.key, *(point.key for point in points)}) == 3
  assert points[1].label == f'{plain.label} refined'
  assert points[1].description['effort'] == {'iterations': 10, 'seconds': None, 'seed': 0}
  with pytest.raises(CodecError, match='does not refine'):
    exported_points(str(exported_path), effort=Effort(10))

  image = photograph[100:164, 100:164]

  def cost(row):
    return row['bpp'] + trained.lmbda * 255**2 * 10 ** (-row['psnr-rgb'] / 10)

  costs = []
  for point in (plain, points[0]):
    with point.open() as measure_image:
      costs.append(cost(measure_image(image)))
  assert costs[1] < costs[0]
