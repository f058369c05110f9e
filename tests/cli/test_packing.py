import shutil

from making import IMAGES


def test_a_folder_is_packed_and_says_what_it_holds(cli, tmp_path):
  code, out, err = cli('pack', IMAGES / 'train', tmp_path / 'pack', '--shard_bytes', 100_000)
  assert code == 0
  assert out == f'{tmp_path / "pack"}: 4 photographs, 306,584 bytes in 2 files\n'
  assert 'packing: 4 of 4 photographs' in err
  code, _, err = cli('pack', IMAGES / 'train', tmp_path / 'pack')
  assert (code, err) == (
    1,
    f'tfusq pack: {tmp_path / "pack"} is a complete pack; --force replaces it\n',
  )
  code, out, _ = cli('pack', IMAGES / 'train', tmp_path / 'pack', '--force')
  assert (code, out) == (0, f'{tmp_path / "pack"}: 4 photographs, 306,584 bytes in 1 file\n')


def test_what_cannot_be_packed_is_one_line(cli, tmp_path):
  code, _, err = cli('pack', tmp_path / 'absent', tmp_path / 'pack')
  assert (code, err) == (1, f'tfusq pack: no folder {tmp_path / "absent"}\n')
  shutil.copytree(IMAGES / 'train', tmp_path / 'photographs')
  path = tmp_path / 'photographs' / 'coffee.webp'
  path.write_bytes(path.read_bytes()[:5000])
  code, _, err = cli('pack', tmp_path / 'photographs', tmp_path / 'pack')
  assert code == 1
  assert err.splitlines()[-1].startswith('tfusq pack: 1 of 4 photographs cannot be read, ')
