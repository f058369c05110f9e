"""Runs, codecs and images in a store, which `ram://` stands for: the whole way by commands."""

import pytest

from making import IMAGES, eager
from tfusq import files, image_files


@pytest.fixture
def store(request):
  """A folder in memory of the test's own."""
  return files.RemotePath(f'ram://{request.node.name}')


@pytest.fixture
def photographs(store, photograph):
  """A folder with two small photographs, one in a sub-folder, and a hidden file."""
  folder = store / 'photographs'
  (folder / 'sub').mkdir()
  (folder / 'a.png').write_bytes(image_files.encode(photograph[:64, :80], 'png'))
  (folder / 'sub' / 'b.webp').write_bytes((IMAGES / 'heldout' / 'chelsea.webp').read_bytes())
  (folder / '.hidden.png').write_bytes(b'no image')
  return folder


def test_a_run_lives_in_a_store(cli, store, photographs, tmp_path):
  def train(steps):
    return cli(
      'train',
      '--model_dir',
      store / 'run',
      '--gin_file',
      'quickstart.gin',
      f"--gin_bindings=TRAIN_IMAGES = '{photographs}'",
      f'--gin_bindings=train.steps = {steps}',
      '--gin_bindings=train.interval = 1',
      '--gin_bindings=Patches.patch_size = 64',
      '--gin_bindings=Patches.batch_size = 1',
      '--gin_bindings=MSHyper.filters = 4',
      '--gin_bindings=MSHyper.latent_channels = 6',
      '--gin_bindings=train.initialization_patches = 2',
    )

  for steps in (1, 3):
    with eager():
      code, out, err = train(steps)
    assert code == 0, err
  names = {path.name for path in (store / 'run').iterdir()}
  assert {'ckpt-3.index', 'operative_config-0.gin', 'operative_config-1.gin'} <= names

  code, _, err = cli('export', '--model_dir', store / 'run', '--out', store / 'codec')
  assert code == 0, err
  again = 'export', '--decoder_only', '--model_dir', store / 'run', '--out', store / 'codec'
  code, _, err = cli(*again)
  assert code == 1 and '--force' in err
  assert cli(*again, '--force')[0] == 0
  assert {path.name for path in (store / 'codec').iterdir()} >= {'codec.json', 'saved_model.pb'}

  out = tmp_path / 'training.png'
  assert cli('plot', '--model_dir', store / 'run', '--out', out)[0] == 0 and out.is_file()
  code, _, err = cli(
    'train', '--model_dir', store / 'other', '--gin_file', 'quickstart.gin',
    f"--gin_bindings=TRAIN_IMAGES = '{store / 'nothing'}'",
  )  # fmt: skip
  assert code == 1 and f'no folder {store}/nothing' in err and not (store / 'other').exists()


def test_images_are_coded_from_store_to_store(
  cli, store, photographs, exported_path, exported_codec, tmp_path
):
  codec = store / 'codec'
  for path in files.walk(exported_path):
    target = codec / path.relative_to(exported_path)
    target.parent.mkdir()
    target.write_bytes(path.read_bytes())

  image, compressed = photographs / 'a.png', store / 'a.usq'
  assert cli('compress', '--codec', codec, image, compressed)[0] == 0
  assert compressed.read_bytes() == exported_codec.compress(image_files.read_image(str(image)))
  code, _, err = cli('compress', '--codec', codec, image, compressed)
  assert code == 1 and '--force' in err
  code, out, _ = cli('info', compressed)
  assert code == 0 and '80x64' in out

  assert cli('compress', '--codec', store, photographs, store / 'files')[0] == 0
  assert (store / 'files').files() == [store / 'files' / 'a.usq', store / 'files' / 'sub' / 'b.usq']
  assert cli('decompress', '--codec', store, store / 'files', tmp_path / 'back')[0] == 0
  assert (tmp_path / 'back' / 'sub' / 'b.png').is_file()

  code, out, err = cli(
    'evaluate', '--codec', codec, photographs, '--json', tmp_path / 'a.json', '--csv',
    tmp_path / 'a.csv',
  )  # fmt: skip
  assert code == 0, err
  assert 'sub/b.webp' in (tmp_path / 'a.csv').read_text()
  code, _, err = cli('decompress', '--codec', store / 'no', compressed, tmp_path / 'x.png')
  assert code == 1 and f'no exported codec in {store}/no' in err


def test_a_store_that_is_unknown_is_named(cli, exported_path, tmp_path):
  for words in (
    ('compress', '--codec', exported_path, 'nosuch://a.png', tmp_path / 'a.usq'),
    ('compress', '--codec', 'nosuch://codec', IMAGES / 'heldout' / 'chelsea.webp', tmp_path / 'a'),
    ('evaluate', '--codec', exported_path, 'nosuch://photographs'),
    ('export', '--model_dir', 'nosuch://run', '--out', tmp_path / 'codec'),
  ):
    code, out, err = cli(*words)
    assert code == 1 and not out and err.count('\n') == 1 and 'nosuch' in err
  assert not list(tmp_path.iterdir())
