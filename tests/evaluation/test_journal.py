import pytest

from tfusq.evaluation.journal import Journal, JournalError


def test_rows_are_kept_until_the_results_are_written(tmp_path):
  path = tmp_path / 'deep' / 'journal'
  journal = Journal(path)
  assert journal.find('point', 'image') is None
  journal.add('point', 'image', {'bpp': 0.5})
  journal.add('point', 'other', {'bpp': 0.25})
  assert Journal(path).find('point', 'image') == {'bpp': 0.5}
  assert Journal(path).find('point', 'other') == {'bpp': 0.25}
  journal.remove()
  assert not path.exists()


def test_a_line_that_was_cut_off_is_dropped(tmp_path):
  path = tmp_path / 'journal'
  path.write_text('["point", "image", {"bpp": 0.5}]\n["point", "oth')
  journal = Journal(path)
  journal.add('point', 'other', {'bpp': 0.25})
  assert len(path.read_text().splitlines()) == 2
  assert Journal(path).find('point', 'other') == {'bpp': 0.25}


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  journal = Journal(None)
  journal.add('point', 'image', {'bpp': 0.5})
  assert journal.find('point', 'image') == {'bpp': 0.5}
  journal.remove()
  assert not list(tmp_path.iterdir())


def test_what_is_no_journal_is_named(tmp_path):
  (tmp_path / 'journal').write_text('garbage\n')
  with pytest.raises(JournalError, match='journal is not what an interrupted'):
    Journal(tmp_path / 'journal')


def test_what_began_and_never_ended_killed_the_process(tmp_path):
  path = tmp_path / 'journal'
  journal = Journal(path)
  with pytest.raises(ValueError), journal.attempt('point', 'refused'):
    raise ValueError
  with journal.attempt('point', 'done'):
    journal.add('point', 'done', {'bpp': 0.5})
  killed = [journal.attempt(point, 'killed') for point in ('point', 'other')]
  for attempt in killed:
    attempt.__enter__()

  again = Journal(path)
  assert [again.kills(image) for image in ('refused', 'done', 'killed')] == [0, 0, 2]
  assert again.find('point', 'done') == {'bpp': 0.5} and again.find('point', 'killed') is None
  assert Journal(path).kills('killed') == 2  # reading does not count

  again.add('point', 'killed', {'bpp': 0.25})
  assert Journal(path).kills('killed') == 1
