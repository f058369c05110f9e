"""Goals of compressing: quality, size, PSNR."""

import pytest

from tfusq.export.effort import Effort
from tfusq.export.goals import DEFAULT, Goal

EFFORT = Effort(iterations=100)


class Calls:
  """A codec that names the function that was called, and its arguments."""

  def __getattr__(self, name):
    return lambda *arguments: (name, *arguments)


@pytest.mark.parametrize(
  'goal, call',
  [
    (DEFAULT, ('compress', 'image', None)),
    (Goal(quality=2.5), ('compress', 'image', 2.5)),
    (Goal(size=900), ('compress_to_bytes', 'image', 900)),
    (Goal(psnr=34.5), ('compress_to_psnr', 'image', 34.5)),
    (Goal(effort=EFFORT), ('refine', 'image', EFFORT, None)),
    (Goal(quality=2.5, effort=EFFORT), ('refine', 'image', EFFORT, 2.5)),
    (Goal(size=900, effort=EFFORT), ('refine_to_bytes', 'image', 900, EFFORT)),
    (Goal(psnr=34.5, effort=EFFORT), ('refine_to_psnr', 'image', 34.5, EFFORT)),
  ],
)
def test_each_goal_has_its_function(goal, call):
  assert goal.compress(Calls(), 'image') == call


def test_an_effort_alone_is_for_codecs_of_one_quality_too():
  assert not Goal(effort=EFFORT).needs_qualities
  assert Goal(quality=2, effort=EFFORT).needs_qualities
