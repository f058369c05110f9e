import json
import os
import shutil

import numpy as np
import pytest

from tfusq import image_files
from tfusq.training import photographs
from tfusq.training.patches import Patches
from tfusq.training.recipes import TrainingError

NAMES = ('a.png', 'b.png', 'c.png', 'd.png')


def write(path, seed):
  noise = np.random.default_rng(seed).integers(0, 256, [20, 20, 3], np.uint8)
  path.write_bytes(image_files.encode(noise, 'png'))


def settle(run, folder, is_new=False, accept_changed=False, step=4, **sets):
  """Settles the photographs of a run and records them; returns its patches."""
  patches = {'train': Patches(str(folder), 16, 2)}
  patches |= {name: Patches(str(path), 16, 2) for name, path in sets.items()}
  found = photographs.settle(str(run), patches, is_new, accept_changed)
  found.write(str(run), step)
  return patches['train']


@pytest.fixture
def folder(tmp_path):
  """Four photographs."""
  path = tmp_path / 'photographs'
  path.mkdir()
  for seed, name in enumerate(NAMES):
    write(path / name, seed)
  return path


@pytest.fixture
def run(tmp_path, folder):
  """A run that has recorded them."""
  path = tmp_path / 'run'
  path.mkdir()
  (path / 'operative_config-0.gin').write_text('#: photographs 4 0123\n')
  settle(path, folder, is_new=True, step=0)
  return path


def drawn(patches):
  return np.stack([patches.patch(index) for index in range(8)])


def refused(run, folder, text):
  before = sorted(os.listdir(run))
  with pytest.raises(TrainingError, match=text) as caught:
    settle(run, folder)
  assert '--accept_changed_photographs' in str(caught.value) and '\n' not in str(caught.value)
  assert sorted(os.listdir(run)) == before


def test_moved_and_renamed_photographs_give_the_same_patches(run, folder, tmp_path):
  before = drawn(Patches(str(folder), 16, 2))
  moved = tmp_path / 'elsewhere'
  (moved / 'sub').mkdir(parents=True)
  for name, other in zip(NAMES, ('z.png', 'sub/b.png', 'a.png', 'y.png')):
    shutil.copyfile(folder / name, moved / other)
  shutil.rmtree(folder)
  np.testing.assert_array_equal(drawn(settle(run, moved)), before)
  # And so again, from the record that was made then.
  np.testing.assert_array_equal(drawn(settle(run, moved)), before)


def test_equal_photographs_do_not_confuse(run, folder):
  shutil.copyfile(folder / 'a.png', folder / 'e.png')
  refused(run, folder, r'1 added \(e.png\)')
  settle(run, folder, accept_changed=True)
  (folder / 'a.png').rename(folder / 'f.png')
  settle(run, folder)


def test_what_has_changed_is_named(run, folder):
  write(folder / 'a.png', 7)
  (folder / 'b.png').unlink()
  write(folder / 'e.png', 8)
  refused(run, folder, r'1 changed \(a.png\), 1 removed \(b.png\), 1 added \(e.png\)')


def test_an_accepted_change_is_recorded_and_keeps_the_order_of_the_others(run, folder):
  write(folder / 'c.png', 7)
  (folder / 'a.png').unlink()
  write(folder / '0.png', 8)
  patches = settle(run, folder, accept_changed=True)
  assert [path.name for path in patches.files] == ['b.png', 'c.png', 'd.png', '0.png']
  record = json.loads((run / 'photographs-4.json').read_bytes())
  assert record['remark'] == f'{folder}: 1 changed (c.png), 1 removed (a.png), 1 added (0.png)'
  assert len(json.loads((run / 'photographs-0.json').read_bytes())['train']) == 4
  assert settle(run, folder).files == patches.files


def test_a_restored_photograph_is_no_change(run, folder):
  whole = (folder / 'a.png').read_bytes()
  write(folder / 'a.png', 7)
  refused(run, folder, r'1 changed \(a.png\)')
  (folder / 'a.png').write_bytes(whole)
  settle(run, folder)


def test_the_last_record_counts_after_going_back_to_an_earlier_checkpoint(run, folder):
  write(folder / 'a.png', 7)
  settle(run, folder, accept_changed=True, step=8)
  write(folder / 'a.png', 8)
  settle(run, folder, accept_changed=True, step=4)
  settle(run, folder)


def test_photographs_of_the_validation_belong_to_the_run(run, folder, tmp_path):
  held_out = tmp_path / 'validation'
  held_out.mkdir()
  write(held_out / 'v.png', 9)
  settle(run, folder, validation=held_out)
  write(held_out / 'v.png', 10)
  with pytest.raises(TrainingError, match=r'validation: 1 changed \(v.png\)'):
    settle(run, folder, validation=held_out)


def test_a_damaged_record_is_named(run, folder):
  (run / 'photographs-0.json').write_text('{"train": [{}]}')
  with pytest.raises(TrainingError, match='photographs-0.json is damaged'):
    settle(run, folder)


def test_a_lost_record_is_made_again_from_the_same_photographs(run, folder):
  patches = {'train': Patches(str(folder), 16, 2)}
  text = photographs.settle(str(run), patches, True, False).fingerprint()
  (run / 'operative_config-0.gin').write_text(f'#: photographs {text}\n')
  (run / 'photographs-0.json').unlink()
  settle(run, folder)
  assert (run / 'photographs-4.json').exists()


@pytest.fixture
def earlier(run, folder):
  """A run of an earlier version, which has the hash of names and sizes alone."""
  files = photographs._earlier_files(folder)
  text = photographs._earlier_fingerprint(folder, files)
  (run / 'operative_config-0.gin').write_text(f'#: photographs {text}\n')
  (run / 'photographs-0.json').unlink()
  return run


def test_an_earlier_run_gets_a_record(earlier, folder):
  settle(earlier, folder)
  folder.rename(folder.parent / 'elsewhere')
  settle(earlier, folder.parent / 'elsewhere')


def test_an_earlier_run_keeps_the_files_that_it_listed(earlier, folder, monkeypatch):
  before = drawn(Patches(str(folder), 16, 2))
  listed = image_files.list_images(folder)
  write(folder / 'e.tif.png', 9)
  (folder / 'e.tif.png').rename(folder / 'e.tif')
  monkeypatch.setattr(image_files, 'list_images', lambda path: [*listed, folder / 'e.tif'])
  for _ in range(2):
    np.testing.assert_array_equal(drawn(settle(earlier, folder)), before)
  assert not list(earlier.glob('photographs-*'))


def test_another_folder_is_refused_for_an_earlier_run_unless_accepted(earlier, folder):
  write(folder / 'e.png', 9)
  refused(earlier, folder, 'has not the 4 names and sizes')
  settle(earlier, folder, accept_changed=True)
  settle(earlier, folder)
