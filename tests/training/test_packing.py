import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfusq import files, image_files
from tfusq.image_files import ImageError
from tfusq.training import packing, packs
from tfusq.training.patches import Patches

NAMES = ('a.png', 'b.png', 'sub/c.png', 'sub/d.png', 'z\udcff.png')
# Two photographs of 20x20 noise are longer.
SHARD_BYTES = 2000


def write(path, seed):
  noise = np.random.default_rng(seed).integers(0, 256, [20, 24, 3], np.uint8)
  path.write_bytes(image_files.encode(noise, 'png'))


def replace_by_an_older_one(path):
  noise = np.random.default_rng(9).integers(0, 256, [21, 24, 3], np.uint8)
  path.write_bytes(image_files.encode(noise, 'png'))
  os.utime(path, ns=(10**9, 10**9))


@pytest.fixture
def folder(tmp_path):
  """Five photographs, and a file that is none."""
  path = tmp_path / 'photographs'
  (path / 'sub').mkdir(parents=True)
  for seed, name in enumerate(NAMES):
    write(path / name, seed)
  (path / 'notes.txt').write_text('none')
  return path


def pack(folder, out, shard_bytes=SHARD_BYTES, **options):
  return packing.pack(str(folder), str(out), shard_bytes, **options)


def contents(out):
  return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_a_pack_holds_the_files_as_they_are(folder, tmp_path):
  packed = pack(folder, tmp_path / 'pack')
  lengths = [os.path.getsize(folder / name) for name in NAMES]
  assert packed == (5, sum(lengths), 3)
  read = packs.Pack(tmp_path / 'pack')
  assert [path.relative_to(tmp_path / 'pack').as_posix() for path in read.files] == list(NAMES)
  for name, path in zip(NAMES, read.files):
    assert read.read(path) == (folder / name).read_bytes()


def test_tensorflow_reads_the_records_without_this_package(folder, tmp_path):
  pack(folder, tmp_path / 'pack')
  shards = sorted(str(path) for path in (tmp_path / 'pack').glob('*.tfrecord'))
  features = {
    'image/encoded': tf.io.FixedLenFeature([], tf.string),
    'image/filename': tf.io.FixedLenFeature([], tf.string),
    'image/key/sha256': tf.io.FixedLenFeature([], tf.string),
    'image/height': tf.io.FixedLenFeature([], tf.int64),
    'image/width': tf.io.FixedLenFeature([], tf.int64),
  }
  records = tf.data.TFRecordDataset(shards).map(lambda r: tf.io.parse_single_example(r, features))
  for name, record in zip(NAMES, records, strict=True):
    data = (folder / name).read_bytes()
    assert record['image/encoded'].numpy() == data
    assert record['image/filename'].numpy() == os.fsencode(name)
    assert record['image/key/sha256'].numpy().decode() == hashlib.sha256(data).hexdigest()
    assert (record['image/height'], record['image/width']) == (20, 24)


def test_the_offsets_are_those_of_records(folder, tmp_path):
  pack(folder, tmp_path / 'pack')
  for path in (tmp_path / 'pack').glob('*.idx'):
    data = path.with_suffix('.tfrecord').read_bytes()
    end = 0
    for line in path.read_text().splitlines():
      offset, length = map(int, line.split())
      assert offset == end
      assert int.from_bytes(data[offset : offset + 8], 'little') == length - 16
      end = offset + length
    assert end == len(data)


def test_packing_again_gives_the_same_bytes(folder, tmp_path):
  pack(folder, tmp_path / 'one')
  pack(folder, tmp_path / 'other')
  assert contents(tmp_path / 'one') == contents(tmp_path / 'other')


def written(monkeypatch):
  """The shards that are written from now on."""
  names = []
  write_shard = packing._write

  def note(shard, photographs):
    names.append(shard.records.name)
    return write_shard(shard, photographs)

  monkeypatch.setattr(packing, '_write', note)
  return names


def test_whole_shards_of_an_interrupted_call_are_kept(folder, tmp_path, monkeypatch):
  pack(folder, tmp_path / 'whole')
  write_shard = packing._write

  def interrupted(shard, photographs):
    if shard.records.name.endswith('1.tfrecord'):
      shard.records.write_bytes(b'half')
      raise KeyboardInterrupt
    return write_shard(shard, photographs)

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(packing, '_write', interrupted)
    pack(folder, tmp_path / 'pack')
  with pytest.raises(ImageError, match='pack is a pack that is not complete; repeat the command'):
    Patches(str(tmp_path / 'pack'), 16, 2)

  names = written(monkeypatch)
  pack(folder, tmp_path / 'pack')
  assert names == ['photographs-00001.tfrecord', 'photographs-00002.tfrecord']
  assert contents(tmp_path / 'pack') == contents(tmp_path / 'whole')


@pytest.mark.parametrize(
  'change, count',
  [
    (lambda folder: None, 0),
    (lambda folder: write(folder / 'e.png', 9), 2),  # before `sub`
    (lambda folder: (folder / 'b.png').unlink(), 2),
    (lambda folder: os.utime(folder / 'sub' / 'c.png', ns=(2**62, 2**62)), 1),
    (lambda folder: replace_by_an_older_one(folder / 'sub' / 'c.png'), 1),
  ],
)
def test_shards_of_other_photographs_are_written_again(
  change, count, folder, tmp_path, monkeypatch
):
  pack(folder, tmp_path / 'pack')
  (tmp_path / 'pack' / 'pack.json').unlink()
  change(folder)
  names = written(monkeypatch)
  pack(folder, tmp_path / 'pack')
  assert len(names) == count
  pack(folder, tmp_path / 'fresh')
  assert contents(tmp_path / 'pack') == contents(tmp_path / 'fresh')


def test_another_length_of_shards_leaves_none_of_the_old_ones(folder, tmp_path):
  pack(folder, tmp_path / 'pack', 1)
  (tmp_path / 'pack' / 'pack.json').unlink()
  assert pack(folder, tmp_path / 'pack', 10**6).shards == 1
  assert len(contents(tmp_path / 'pack')) == 4


def test_all_that_cannot_be_read_are_named_and_the_rest_is_kept(folder, tmp_path, monkeypatch):
  for name in ('b.png', 'sub/d.png'):
    path = folder / name
    path.write_bytes(path.read_bytes()[:500])
  with pytest.raises(ImageError, match='^2 of 5 photographs cannot be read.*b.png.*d.png') as all_:
    pack(folder, tmp_path / 'pack')
  assert '\n' not in str(all_.value)
  assert not (tmp_path / 'pack' / 'pack.json').exists()

  for name in ('b.png', 'sub/d.png'):
    (folder / name).unlink()
  names = written(monkeypatch)
  assert pack(folder, tmp_path / 'pack').photographs == 3
  assert names == []


def test_a_complete_pack_is_replaced_only_by_force(folder, tmp_path):
  pack(folder, tmp_path / 'pack')
  with pytest.raises(files.Exists, match='pack is a complete pack; --force replaces it'):
    pack(folder, tmp_path / 'pack')
  (tmp_path / 'pack' / 'photographs-00000.tfrecord').write_bytes(b'damaged')
  pack(folder, tmp_path / 'pack', force=True)
  read = packs.Pack(tmp_path / 'pack')
  assert read.read(read.files[0]) == (folder / 'a.png').read_bytes()


def test_a_pack_is_not_packed(folder, tmp_path):
  pack(folder, tmp_path / 'pack')
  with pytest.raises(ImageError, match='pack is a pack already; give the folder'):
    pack(tmp_path / 'pack', tmp_path / 'other')
  assert not (tmp_path / 'other').exists()


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path):
  with pytest.raises(files.Exists, match='which is no part of a pack; name another'):
    pack(folder, folder, force=True)
  with pytest.raises(files.Exists, match=r'notes.txt is no folder'):
    pack(folder, folder / 'notes.txt', force=True)


def test_a_full_disk_names_the_file(folder, tmp_path, monkeypatch):
  def full(self, record):
    raise tf.errors.ResourceExhaustedError(None, None, 'No space left on device')

  monkeypatch.setattr(tf.io.TFRecordWriter, 'write', full)
  with pytest.raises(OSError, match='No space left on device.*photographs-00000.tfrecord'):
    pack(folder, tmp_path / 'pack')
  assert list((tmp_path / 'pack').iterdir()) == []


def test_stores_hold_packs(folder):
  out = 'ram://tfusq_packing/pack'
  pack(folder, out)
  np.testing.assert_array_equal(
    Patches(out, 16, 2, cache_bytes=0).patch(3), Patches(str(folder), 16, 2).patch(3)
  )
  pack('ram://tfusq_packing/' + _copy_to_store(folder), out, force=True)
  assert json.loads(files.read(f'{out}/pack.json'))['photographs'] == 5


def _copy_to_store(folder):
  for name in NAMES:
    # A store has no names that are not UTF-8.
    target = files.to_path(f'ram://tfusq_packing/files/{name.replace(chr(0xDCFF), "z")}')
    target.parent.mkdir()
    target.write_bytes((folder / name).read_bytes())
  return 'files'


def test_links_are_packed_as_what_they_lead_to(folder, tmp_path):
  shutil.move(folder / 'a.png', tmp_path / 'elsewhere.png')
  (folder / 'a.png').symlink_to(tmp_path / 'elsewhere.png')
  pack(folder, tmp_path / 'pack')
  read = packs.Pack(tmp_path / 'pack')
  assert read.read(read.files[0]) == (tmp_path / 'elsewhere.png').read_bytes()
