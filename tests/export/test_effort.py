import math

import pytest

from tfusq.export.effort import Effort, EffortError, named


@pytest.mark.parametrize(
  'text, iterations', [('fast', 0), ('good', 100), ('best', 500), ('0', 0), ('7', 7)]
)
def test_iterations_have_names(text, iterations):
  assert named(text) == iterations


@pytest.mark.parametrize('text', ['', '-1', '1.5', 'Good', 'many'])
def test_another_name_is_refused_with_those_that_there_are(text):
  with pytest.raises(EffortError, match='none of fast, good, best, nor a number of iterations'):
    named(text)


def test_a_limit_that_is_not_given_is_none():
  assert Effort(30, seed=4).numbers() == ((30, 'int64'), (math.inf, 'float32'), (4, 'int64'))
  (iterations, _), (seconds, _), _ = Effort(seconds=2.5).numbers()
  assert iterations > 10**18 and seconds == 2.5


@pytest.mark.parametrize(
  'effort', [Effort(), Effort(-1), Effort(10, 0), Effort(10, -2.0), Effort(10, math.nan)]
)
def test_an_effort_that_is_none_is_refused(effort):
  with pytest.raises(EffortError, match='an effort is'):
    effort.numbers()
