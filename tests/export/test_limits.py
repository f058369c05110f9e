"""The search for a quality, among files of a made-up codec."""

import pytest
import tensorflow as tf

from tfusq.export import limits
from tfusq.export.refining import Coded
from tfusq.refinement import Budget

STEPS = 33
BUDGET = Budget(tf.constant(5, tf.int64), tf.constant(9.0), tf.constant(0, tf.int64))


def plain(step):
  """1.5 % more bytes, and 0.1 dB more, with each step."""
  return int(1000 * 1.015**step), 30 + 0.1 * step


def coded(size, psnr):
  data = tf.constant(b'x' * size)
  return Coded(data, tf.constant(0, tf.float64), tf.constant(psnr, tf.float32))


def step_within(limit):
  """The last step whose plain file fits, or the first one."""
  fitting = [step for step in range(STEPS) if plain(step)[0] <= limit]
  return tf.constant(fitting[-1] if fitting else 0)


def step_reaching(limit):
  reaching = [step for step in range(STEPS) if plain(step)[1] >= limit]
  return tf.constant(reaching[0] if reaching else STEPS - 1)


class Codec:
  """A codec whose refinement makes files shorter or longer, and better or worse."""

  def __init__(self, ratio, gain):
    self._ratio, self._gain = ratio, gain
    self.refined_at = []

  def refined(self, step):
    size, psnr = plain(step)
    return int(size * self._ratio), psnr + self._gain

  def both(self, step, budget):
    assert float(budget.seconds) == 9 / limits.TRIES
    self.refined_at.append(int(step))
    return coded(*plain(int(step))), coded(*self.refined(int(step)))


@pytest.mark.parametrize('limit, step', [(999, -1), (1000, 0), (1400, 22), (10**6, STEPS - 1)])
def test_the_longest_plain_file_that_fits(limit, step):
  tried = []

  def encode(step):
    tried.append(plain(int(step))[0])
    return tf.constant(b'x' * tried[-1]), None

  found = limits.best_within(encode, tf.constant(limit, tf.int64), STEPS)
  assert int(found.step) == step
  assert len(found.data.numpy()) == (0 if step < 0 else plain(step)[0])
  assert int(found.last) == tried[-1]


@pytest.mark.parametrize('ratio, gain', [(0.9, -0.2), (0.9, 0.3), (1.05, 0.8)])
@pytest.mark.parametrize('limit', [1000, 1100, 1300])
def test_a_refined_file_keeps_the_length_and_is_the_best(ratio, gain, limit):
  codec = Codec(ratio, gain)
  kind = limits.of_size(tf.constant(limit, tf.int64), step_within)
  is_found, best, _ = limits.best_refined(kind, codec.both, tf.constant(limit, tf.int64), BUDGET)
  fitting = [plain(step) for step in range(STEPS)] + [codec.refined(step) for step in range(STEPS)]
  expected = max(psnr for size, psnr in fitting if size <= limit)
  assert is_found and int(best.size) <= limit
  assert float(best.psnr) == pytest.approx(expected, abs=0.101)  # the next step's, at most
  assert len(set(codec.refined_at)) == len(codec.refined_at) <= limits.TRIES


@pytest.mark.parametrize('ratio, gain', [(0.9, -0.2), (0.9, 0.3), (1.05, 0.8)])
@pytest.mark.parametrize('limit', [30.5, 32.0])
def test_a_refined_file_reaches_the_psnr_and_is_the_shortest(ratio, gain, limit):
  codec = Codec(ratio, gain)
  limit = tf.constant(limit)
  kind = limits.of_psnr(limit, step_reaching)
  is_found, best, _ = limits.best_refined(kind, codec.both, limit, BUDGET)
  reaching = [plain(step) for step in range(STEPS)] + [codec.refined(step) for step in range(STEPS)]
  expected = min(size for size, psnr in reaching if psnr >= limit)
  assert is_found and float(best.psnr) >= limit
  assert int(best.size) <= 1.02 * expected


def test_refinement_may_keep_a_limit_that_no_plain_file_does():
  codec = Codec(0.9, 0)
  limit = tf.constant(950, tf.int64)
  is_found, best, _ = limits.best_refined(
    limits.of_size(limit, step_within), codec.both, limit, BUDGET
  )
  assert is_found and 900 <= int(best.size) <= 950


def test_where_none_keeps_it_the_last_is_told():
  codec = Codec(0.9, 0)
  limit = tf.constant(500, tf.int64)
  is_found, best, last = limits.best_refined(
    limits.of_size(limit, step_within), codec.both, limit, BUDGET
  )
  assert not is_found and int(best.size) == 0
  assert int(last.size) == 900
  assert codec.refined_at == [0]
