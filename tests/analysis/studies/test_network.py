import gzip

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq.analysis.studies import network
from tfusq.analysis.study import AnalysisError, Effort

DIGITS = np.random.default_rng(0).uniform(size=[20, 784]).astype(np.float32)


@pytest.fixture(scope='module')
def codec():
  tf.keras.utils.set_random_seed(0)
  return network._Codec(8, 8, [0, 0])


def expected_error(codec, surrogate, x, y):
  """The expected squared error of each digit, by enumeration over both components."""
  places, weights = network._places(surrogate, y)
  total = 0.0
  for first in range(places.shape[0]):
    for second in range(places.shape[0]):
      y_tilde = tf.stack([places[first, :, 0], places[second, :, 1]], -1)
      total += weights[first, :, 0] * weights[second, :, 1] * codec._errors(x, y_tilde)
  return total.numpy()


@pytest.mark.parametrize('surrogate', [tfusq.SR(), tfusq.SRA(4.0), tfusq.SGAHard(0.5)])
def test_the_expected_gradient_is_the_slope_of_the_expected_error(codec, surrogate):
  _, exact = codec.bias(surrogate, DIGITS)
  x = tf.constant(DIGITS)
  y = codec._latents(x).numpy()
  step = 1e-2
  for component in (0, 1):
    shift = step * np.eye(2, dtype=np.float32)[component]
    inside = np.abs(y[:, component] - np.round(y[:, component])) > 0.03
    slope = (
      expected_error(codec, surrogate, x, tf.constant(y + shift))
      - expected_error(codec, surrogate, x, tf.constant(y - shift))
    ) / (2 * step)
    assert inside.sum() > 5
    assert slope[inside] == pytest.approx(
      exact[inside, component], rel=0.02, abs=0.02 * np.abs(exact).max()
    )


@pytest.mark.parametrize('surrogate', [tfusq.SR(), tfusq.SUA(4.0)])
def test_the_bias_is_the_mean_of_samples(codec, surrogate):
  bias, exact = codec.bias(surrogate, DIGITS)
  x = tf.constant(DIGITS)
  y = codec._latents(x)
  samples = 4000
  quantizer = tfusq.Quantizer(surrogate, tfusq.STE())
  tiled = tf.tile(y[None], [samples, 1, 1])
  with tf.GradientTape() as tape:
    tape.watch(tiled)
    errors = codec._errors(x, quantizer(tiled, quantizer.noise(tiled, tf.constant([1, 2]))))
  gradient = tape.gradient(errors, tiled).numpy()
  z = (gradient.mean(0) - bias - exact) / (
    gradient.std(0) / samples**0.5 + 0.01 * np.abs(exact).mean()
  )
  assert np.abs(z).max() < 4


def test_additive_noise_is_unbiased(codec):
  bias, exact = codec.bias(tfusq.AUN(), DIGITS)
  assert np.abs(bias).mean() < 0.02 * np.abs(exact).mean()


def test_what_cannot_be_enumerated_is_left_out(tmp_path):
  assert [
    network._enumerable(surrogate)
    for surrogate in (tfusq.SR(), tfusq.UQi(), tfusq.UQs(), tfusq.Round(), tfusq.SGA(0.5))
  ] == [True, True, False, False, False]


def test_training_lowers_the_error(codec):
  digits = np.tile(DIGITS, [10, 1])
  before = codec.error(digits)
  codec.train(digits, 60)
  assert codec.error(digits) < before


def test_the_study_has_a_row_for_each_size_of_both_networks(monkeypatch):
  monkeypatch.setattr(network, 'read_mnist', lambda folder: DIGITS)
  monkeypatch.setattr(network._Codec, 'train', lambda self, digits, steps: None)
  (study,) = network.measure([tfusq.SR(), tfusq.Round()], Effort(), '.')
  assert {row['surrogate'] for row in study.rows} == {'SR'}
  assert {(row['analysis'], row['synthesis']) for row in study.rows} == {
    (analysis, synthesis) for analysis in (8, 32, 128) for synthesis in (8, 32, 128)
  }
  assert all(0 < row['mean_bias'] < row['greatest_bias'] for row in study.rows)
  axes, bar = study.figure.axes
  assert axes.get_title() == 'SR' and 'greatest bias' in bar.get_ylabel()
  row = next(row for row in study.rows if (row['analysis'], row['synthesis']) == (8, 128))
  assert axes.images[0].get_array()[0, 2] == row['greatest_bias']


def test_digits_are_read_and_what_is_none_is_refused(tmp_path):
  with pytest.raises(AnalysisError, match='give the folder of MNIST by --mnist'):
    network.measure([tfusq.SR()], Effort(), str(tmp_path))
  path = tmp_path / 'train-images-idx3-ubyte.gz'
  path.write_bytes(gzip.compress(b'\0\0\x08\x03' + bytes(100)))
  with pytest.raises(AnalysisError, match='not the 60,000 training images'):
    network.read_mnist(tmp_path)
  content = b'\0\0\x08\x03' + bytes(12) + bytes([0, 51, 255]) * (60_000 * 784 // 3)
  path.write_bytes(gzip.compress(content, 1))
  digits = network.read_mnist(tmp_path)
  assert digits.shape == (60_000, 784)
  assert digits[0, :3] == pytest.approx([0, 0.2, 1])
  with pytest.raises(AnalysisError, match='none of these does'):
    network.measure([tfusq.Round()], Effort(), str(tmp_path))
