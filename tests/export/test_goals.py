"""Goals of compressing: quality, size, PSNR."""

import pytest

from tfusq.export.goals import DEFAULT, Goal


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
  ],
)
def test_each_goal_has_its_function(goal, call):
  assert goal.compress(Calls(), 'image') == call
