import math

import pytest

from fork_results import make_forks
from making import make_curve
from tfusq.sweeps import trunk_checks
from tfusq.sweeps.sweep import SweepError


@pytest.fixture
def run():
  return make_forks().runs()[0].trunk


def check_of(run, bpp, psnr, steps=100):
  # The rate of this JPEG is 2^((PSNR - 28) / 3) * 0.2.
  jpeg = make_curve((0.2, 0.4, 0.8), (28.0, 31.0, 34.0))
  return trunk_checks.make_check(run, steps, 'heldout', make_curve((bpp,), (psnr,)), jpeg)


def test_the_rate_is_compared_with_jpegs_at_the_same_quality(run):
  assert check_of(run, 0.3, 31.0).percent == pytest.approx(-25)
  assert check_of(run, 0.2 * math.sqrt(2), 29.5).percent == pytest.approx(0)
  assert check_of(run, 0.3, 31.0).is_good(run) and not check_of(run, 0.33, 31.0).is_good(run)


@pytest.mark.parametrize('psnr', [27.9, 34.1])
def test_what_jpeg_does_not_reach_says_nothing(run, psnr):
  check = check_of(run, 0.001, psnr)
  assert math.isnan(check.percent) and not check.is_good(run)


def test_checks_are_found_again(run, tmp_path):
  assert trunk_checks.find(tmp_path, run, 100) is None
  first, second = check_of(run, 0.4, 31.0), check_of(run, 0.3, 31.0, steps=150)
  for check in (first, second):
    trunk_checks.add(tmp_path, check)
  assert trunk_checks.read(tmp_path) == [first, second]
  assert trunk_checks.find(tmp_path, run, 150) == second
  assert trunk_checks.find(tmp_path, run._replace(seed=1), 150) is None


@pytest.mark.parametrize('text', ['edited', 'trunk,lmbda,seed\n'])
def test_another_file_is_refused(tmp_path, text):
  (tmp_path / trunk_checks.FILE).write_text(text)
  with pytest.raises(SweepError, match='line 1: its columns must be trunk, lmbda'):
    trunk_checks.read(tmp_path)


def test_a_line_that_is_none_is_named(run, tmp_path):
  trunk_checks.add(tmp_path, check_of(run, 0.3, 31.0))
  path = tmp_path / trunk_checks.FILE
  path.write_text(path.read_text() + 'trunk,0.01,0\n')
  with pytest.raises(SweepError, match='line 3'):
    trunk_checks.read(tmp_path)
