import io
import re

import pytest
import tensorflow as tf

from making import make_codec, make_patches
from tfusq.training import train
from tfusq.training.reporting import WIDTH, Report, duration, interval_line, validation_line

MEANS = {'loss': 12.3456, 'bpp': 1.2345, 'psnr': 31.234, 'soft_loss': 12.5, 'gradient': 7.0}


@pytest.mark.usefixtures('eagerly')
def test_a_run_prints_a_line_for_each_interval_and_its_validation(tmp_path, capsys):
  train.train(
    str(tmp_path),
    lambda: 'recipe',
    make_codec(),
    tf.keras.optimizers.Adam(1e-3),
    make_patches(),
    steps=4,
    interval=2,
    validation=make_patches(folder='heldout'),
    validation_batches=1,
  )
  out = capsys.readouterr().out
  lines = out.splitlines()
  terms = r'loss \d+\.\d{4}  \d+\.\d{4} bpp  \d+\.\d\d dB'
  pace = r'alpha [\d.]+  [\d.]+ s/step  \d+ (s|min \d\d s) left'
  assert len(lines) == 4
  assert re.fullmatch(rf'step 2 of 4  {terms}  {pace}', lines[0])
  assert re.fullmatch(rf' +validation  {terms}  training-time loss \d+\.\d{{4}}', lines[1])
  assert re.fullmatch(rf'step 4 of 4  {terms}  {pace}', lines[2])
  assert lines[2].endswith(' 0 s left')
  assert max(map(len, lines)) <= WIDTH
  assert 'gradient' not in out and '\r' not in out


@pytest.mark.parametrize(
  'temperatures',
  [
    {},
    {'y/rate/SUA.alpha': 11.875, 'y/distortion/SUA.alpha': 11.875},
    {'y/rate/SGA.tau': 0.5, 'y/distortion/SUA.alpha': 11.875, 'z/rate/SR.alpha': 3.0},
  ],
)
def test_lines_of_the_longest_runs_are_not_too_wide(temperatures):
  lines = interval_line(1120000, 1125000, MEANS, temperatures, 0.123456, 9e5).splitlines()
  lines.append(validation_line(1125000, MEANS))
  assert max(map(len, lines)) <= WIDTH < 100
  text = '\n'.join(lines)
  assert 'step 1120000 of 1125000' in text and '10 d 10 h left' in text
  assert 'gradient' not in text


def test_a_distortion_that_the_psnr_does_not_tell_is_shown_too():
  means = {**MEANS, 'measured': 0.0123456}
  lines = interval_line(1120000, 1125000, means, {'y/rate/SUA.alpha': 11.875}, 0.123456, 9e5)
  lines = [*lines.splitlines(), validation_line(1125000, means)]
  assert '31.23 dB  D 0.0123  ' in lines[0]
  assert ' dB  D 0.0123  training-time loss ' in lines[-1]
  assert max(map(len, lines)) <= WIDTH


def test_temperatures_are_named_as_shortly_as_they_can_be():
  def shown(temperatures):
    return interval_line(1, 2, MEANS, temperatures, 0.1, 60)

  assert '  alpha 5  ' in shown({'y/rate/SUA.alpha': 5.0, 'y/distortion/SUA.alpha': 5.0})
  two = shown({'y/rate/SGA.tau': 0.25, 'y/distortion/SUA.alpha': 5.0})
  assert 'SGA.tau 0.25, SUA.alpha 5' in two


@pytest.mark.parametrize(
  'seconds, text',
  [
    (0.2, '0 s'),
    (59.6, '1 min 00 s'),
    (125, '2 min 05 s'),
    (3 * 3600 + 240, '3 h 04 min'),
    (90000, '1 d 01 h'),
  ],
)
def test_a_duration_has_its_two_largest_units(seconds, text):
  assert duration(seconds) == text


class Terminal(io.StringIO):
  def isatty(self):
    return True


class Model:
  is_for_squared_error = True

  def temperatures(self):
    return {}


@pytest.mark.parametrize('stream, shows_steps', [(Terminal(), True), (io.StringIO(), False)])
def test_progress_within_an_interval_is_shown_on_a_terminal_alone(stream, shows_steps):
  report = Report(4, 2, stream)
  report.model = Model()
  report.on_epoch_begin(0)
  report.on_train_batch_end(0)
  report.on_train_batch_end(1)
  report.on_epoch_end(0, MEANS)
  assert ('\r1 of 2 steps' in stream.getvalue()) == shows_steps
  assert stream.getvalue().splitlines()[-1].strip().startswith('step 2 of 4')
