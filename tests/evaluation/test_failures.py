import pytest

from tfusq.evaluation.failures import Failure, reason, summary


def test_each_image_and_point_has_a_line():
  failures = [
    Failure('broken.png', '', 'cannot read image broken.png'),
    Failure('huge.png', 'x 1', 'too large'),
    Failure('huge.png', 'x 2', 'too large'),
    Failure('', 'y', 'is damaged'),
  ]
  assert summary(failures, ['broken.png', 'huge.png'], ['y']).split('\n') == [
    '2 images are left out of all means, 1 operating point is left out of the curve:',
    '  y: is damaged',
    '  broken.png: cannot read image broken.png',
    '  huge.png at x 1: too large (and 1 more)',
  ]


@pytest.mark.parametrize(
  'error, text',
  [
    (ValueError('one\n  two'), 'one two'),
    (MemoryError(), 'out of memory'),
    (MemoryError('too much'), 'out of memory: too much'),
    (
      FileNotFoundError(2, 'No such file or directory', 'a.png'),
      'a.png: No such file or directory',
    ),
  ],
)
def test_a_reason_is_one_line(error, text):
  assert reason(error) == text
