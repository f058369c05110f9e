import io

from tfusq import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


def test_a_log_has_a_line_for_each_tenth():
  log = io.StringIO()
  assert list(progress.track(range(1000), 'image', 'codec', log)) == list(range(1000))
  lines = log.getvalue().splitlines()
  assert len(lines) == 10
  assert lines[0].startswith('codec: 100 of 1000 images, 00:0')
  assert lines[-1].startswith('codec: 1000 of 1000 images, ')


def test_short_work_has_a_line_for_each_item():
  log = io.StringIO()
  with progress.progress(3, 'file', stream=log) as update:
    update(2)
    update(0)
    update(1)
  assert [line.split(',')[0] for line in log.getvalue().splitlines()] == [
    '2 of 3 files',
    '3 of 3 files',
  ]


def test_nothing_to_do_is_no_error():
  log = io.StringIO()
  assert not list(progress.track([], 'file', stream=log))
  with progress.progress(0, 'file', stream=log) as update:
    update(0)
  assert not log.getvalue()


def test_a_terminal_has_a_bar():
  terminal = Terminal()
  list(progress.track(range(5), 'file', 'all', terminal))
  assert '\r' in terminal.getvalue() and '5/5' in terminal.getvalue()
