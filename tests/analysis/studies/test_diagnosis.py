"""Measurements of runs, each made to break a rule."""

import math

import pytest
import tensorflow as tf
from PIL import Image

import tfusq
from making import IMAGES, make_codec, make_patches
from tfusq.analysis.studies import advice, diagnosis
from tfusq.analysis.study import AnalysisError
from tfusq.training import train
from tfusq.training.transfer import TransferError

HELD_OUT = str(IMAGES / 'heldout')


def diagnose(folder, codec, steps, draws, intervals=1):
  """Trains a tiny codec and measures its checkpoints."""
  train.train(
    str(folder),
    lambda: 'tiny',
    codec,
    tf.keras.optimizers.Adam(1e-3),
    make_patches(),
    steps=intervals * steps,
    interval=steps,
  )
  return diagnosis.diagnose(codec, str(folder), HELD_OUT, 1, draws)


def pair(surrogate, estimator):
  return tfusq.Quantizer(surrogate, estimator)


def asks(found, text):
  sentences = [sentence for sentence in advice.recommend(found) if text in sentence]
  assert len(sentences) <= 1
  return bool(sentences)


@pytest.mark.usefixtures('eagerly')
def test_rounding_has_neither_mismatch_nor_noise(tmp_path):
  rounding = pair(tfusq.Round(), tfusq.STE())
  codec = make_codec(rate=rounding, distortion=rounding, zero_centre=False)
  found = diagnose(tmp_path, codec, steps=2, draws=2)
  last = found.checkpoints[-1]
  assert last.step == 2 and math.isnan(last.temperature) and not found.ladder
  assert abs(last.distortion_mismatch) < 1e-4 and last.distortion_noise < 1e-6
  assert last.rate_noise < 1e-6 and last.bound == pytest.approx(0.11)
  assert not asks(found, 'noise as signal')


@pytest.mark.long
def test_a_temperature_that_went_too_far_is_told_with_a_better_one(tmp_path, trained):
  alpha = tfusq.Linear(14.0, 12, start=0.5)
  codec = make_codec(
    rate=pair(tfusq.SUA(alpha), tfusq.EP()), distortion=pair(tfusq.SUA(alpha), tfusq.PGE())
  )
  codec.create()
  for variable, value in zip(codec.model.variables, trained.model.variables):
    variable.assign(value)
  found = diagnose(tmp_path, codec, steps=4, draws=12, intervals=4)
  # Older checkpoints are gone; the schedule's temperatures are not.
  assert [state.step for state in found.checkpoints] == [8, 12, 16]
  assert [state.temperature for state in found.ladder] == [
    pytest.approx(0.5),
    pytest.approx(5),
    pytest.approx(9.5),
    14.0,
  ]
  assert found.ladder[-1].distortion_noise > 4 * found.ladder[0].distortion_noise
  assert asks(found, 'the temperature of 14 is too far')


def test_images_that_are_too_small_for_the_distortion_are_refused(tmp_path):
  codec = make_codec(distortion_measure=tfusq.MSSSIM())
  (tmp_path / 'images').mkdir()
  Image.new('RGB', (200, 160)).save(tmp_path / 'images' / 'small.png')
  with pytest.raises(AnalysisError, match='MSSSIM needs images .* at least 161 pixels, not 160'):
    diagnosis.diagnose(codec, str(tmp_path), str(tmp_path / 'images'), 6, 2)


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_noisy_estimator_without_a_schedule_is_replaced(tmp_path):
  codec = make_codec(
    rate=pair(tfusq.SUA(14.0), tfusq.EP()), distortion=pair(tfusq.SUA(14.0), tfusq.PGE())
  )
  found = diagnose(tmp_path, codec, steps=1, draws=4)
  assert not found.ladder and asks(found, 'take STE in place of PGE')
  assert found.checkpoints[-1].distortion_mismatch > 0.02 and asks(found, 'rounding with STE for')


@pytest.mark.usefixtures('eagerly')
def test_a_soft_rate_is_annealed_further(tmp_path):
  codec = make_codec(
    rate=pair(tfusq.SUA(2.0), tfusq.EP()), distortion=pair(tfusq.Round(), tfusq.STE())
  )
  found = diagnose(tmp_path, codec, steps=1, draws=2)
  last = found.checkpoints[-1]
  assert math.isnan(last.temperature) and last.rate_temperature == 2
  assert abs(last.rate_mismatch) > 0.02 and asks(found, 'anneal further')


@pytest.mark.usefixtures('eagerly')
def test_noise_that_no_rounding_has_is_a_mismatch(tmp_path):
  noise = pair(tfusq.AUN(), tfusq.PGE())
  found = diagnose(tmp_path, make_codec(rate=noise, distortion=noise), steps=1, draws=2)
  last = found.checkpoints[-1]
  assert abs(last.rate_mismatch) > 0.02 and asks(found, 'take an annealed surrogate')


@pytest.mark.usefixtures('eagerly')
def test_a_small_bound_is_raised(tmp_path):
  noise = pair(tfusq.AUN(), tfusq.PGE())
  codec = make_codec(rate=noise, distortion=noise, bound=1e-6)
  codec.create()
  bias = codec.model.hyper_synthesis.layers[-1].bias
  mean, _ = tf.split(bias, 2)
  bias.assign(tf.concat([mean, tf.fill(mean.shape, -4.0)], 0))
  found = diagnose(tmp_path, codec, steps=1, draws=2)
  last = found.checkpoints[-1]
  assert last.small > 0.9 and last.rate_mismatch > 0.02
  assert asks(found, 'raise the bound from 1e-06 to 0.11')


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_bound_that_holds_everything_is_lowered(tmp_path):
  found = diagnose(tmp_path, make_codec(bound=30.0), steps=1, draws=2)
  assert found.checkpoints[-1].at_bound == 1 and asks(found, 'lower the bound')


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_rate_that_is_annealed_alone_has_its_ladder(tmp_path):
  alpha = tfusq.Linear(end=9.0, steps=2, start=1.0)
  codec = make_codec(
    rate=pair(tfusq.SUA(alpha), tfusq.EP()), distortion=pair(tfusq.Round(), tfusq.STE())
  )
  found = diagnose(tmp_path, codec, steps=2, draws=2)
  assert [state.rate_temperature for state in found.ladder] == [1.0, 5.0, 9.0]
  assert found.ladder[-1].rate_mismatch == pytest.approx(found.checkpoints[-1].rate_mismatch)


def test_a_folder_without_checkpoints_is_refused(tmp_path):
  codec = make_codec()
  codec.create()
  with pytest.raises(TransferError, match='no checkpoint'):
    diagnosis.diagnose(codec, str(tmp_path), HELD_OUT, 1, 2)
