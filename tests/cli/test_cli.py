import csv
import importlib.metadata
import json

import numpy as np
import pytest
from PIL import Image

import tfusq
from tfusq import image_files
from tfusq.image_files import read_image

pytestmark = pytest.mark.usefixtures('loaded_once')


@pytest.fixture
def compressed(cli, exported_path, photograph, tmp_path):
  source, path = tmp_path / 'in.png', tmp_path / 'out.usq'
  source.write_bytes(image_files.encode(photograph[:80, :100], 'png'))
  code, out, _ = cli('compress', '--codec', exported_path, source, path)
  assert code == 0
  assert out.strip().endswith(f'{8 * path.stat().st_size / 8000:.4f} bpp')
  return path


def test_a_photograph_goes_in_and_comes_back(
  cli, compressed, exported_path, exported_codec, tmp_path
):
  png = tmp_path / 'back.png'
  assert cli('decompress', '--codec', exported_path, compressed, png)[0] == 0
  np.testing.assert_array_equal(read_image(png), exported_codec.decompress(compressed.read_bytes()))
  # A folder of codecs serves as well: the file names its own.
  assert cli('decompress', '--codec', exported_path.parent, compressed, png, '--force')[0] == 0


def test_the_first_frame_is_compressed_where_that_is_wanted(cli, exported_path, tmp_path):
  source, target = tmp_path / 'a.gif', tmp_path / 'a.usq'
  frames = [Image.new('L', (16, 16), level) for level in (0, 255)]
  frames[0].save(source, save_all=True, append_images=frames[1:])
  code, _, err = cli('compress', '--codec', exported_path, source, target)
  assert code == 1 and err.count('\n') == 1 and 'a.gif: it holds 2 pictures' in err
  assert cli('compress', '--codec', exported_path, '--first_frame', source, target)[0] == 0


def test_info_shows_a_file(cli, compressed):
  code, out, _ = cli('info', compressed)
  assert code == 0
  assert '100x80' in out and f'{compressed.stat().st_size}: header 38' in out
  assert 'checksum  right' in out


def test_existing_outputs_are_kept_unless_forced(cli, compressed, exported_path, tmp_path):
  source, before = tmp_path / 'in.png', compressed.read_bytes()
  compressed.write_bytes(b'precious')
  code, _, err = cli('compress', '--codec', exported_path, source, compressed)
  assert code == 1 and 'exists; --force replaces it' in err
  assert compressed.read_bytes() == b'precious'
  assert cli('compress', '--codec', exported_path, source, compressed, '--force')[0] == 0
  assert compressed.read_bytes() == before


@pytest.mark.parametrize(
  'mutate, reason',
  [
    (lambda d: d[:50], 'truncated'),
    (lambda d: b'GIF89a' + d, 'not a tfusq file'),
    (lambda d: d[:-3] + bytes([d[-3] ^ 4]) + d[-2:], 'wrong checksum'),
    (lambda d: d[:5] + b'000' + d[8:], 'bad.usq: written by codec'),
  ],
)
def test_bad_files_are_one_line_and_exit_code_one(
  mutate, reason, cli, compressed, exported_path, tmp_path
):
  bad = tmp_path / 'bad.usq'
  bad.write_bytes(mutate(compressed.read_bytes()))
  code, out, err = cli('decompress', '--codec', exported_path, bad, tmp_path / 'bad.png')
  assert code == 1 and not out
  assert reason in err and err.count('\n') == 1
  assert not (tmp_path / 'bad.png').exists()


def test_info_refuses_a_corrupt_file(cli, compressed):
  data = bytearray(compressed.read_bytes())
  data[-1] ^= 1
  compressed.write_bytes(data)
  code, _, err = cli('info', compressed)
  assert code == 1 and 'wrong checksum' in err


def test_what_is_not_there_is_named(cli, exported_path, tmp_path):
  absent = tmp_path / 'absent.png'
  for words, named in (
    (('compress', '--codec', exported_path, absent, tmp_path / 'x'), 'absent.png'),
    (('decompress', '--codec', exported_path, absent, tmp_path / 'x.png'), 'absent.png'),
    (('export', '--model_dir', tmp_path, '--out', tmp_path / 'c'), 'is no run'),
    (('evaluate', '--codec', exported_path, tmp_path), 'no images'),
    (('evaluate', '--codec', tmp_path, tmp_path), 'no exported codec'),
    (('train', '--model_dir', tmp_path / 'r', '--gin_file', 'none.gin'), 'no gin file none.gin'),
  ):
    code, _, err = cli(*words)
    assert code == 1 and named in err and err.count('\n') == 1, words


def test_evaluate_writes_json(cli, exported_path, compressed, tmp_path):
  report = tmp_path / 'report.json'
  code, out, _ = cli('evaluate', '--codec', exported_path, tmp_path, '--json', report)
  assert code == 0 and 'in.png' in out and 'mean' in out
  content = json.loads(report.read_text())
  assert content['images'][0]['bytes'] == compressed.stat().st_size
  assert content['meta']['codecs'][0]['sections'] == ['z', 'y']
  assert not list(tmp_path.glob('*.partial'))
  code, _, err = cli('evaluate', '--codec', exported_path, tmp_path, '--json', report)
  assert code == 1 and '--force replaces it' in err


def test_a_plugin_is_checked_by_name(cli):
  code, out, _ = cli('check', 'AUN')
  assert code == 0 and out.startswith('AUN()') and out.count('passed') == 13
  code, out, _ = cli('check', 'SHA', '--gin_bindings', 'SHA.alpha = 3.0')
  assert code == 0 and out.startswith('SHA(alpha = 3)')
  code, out, _ = cli('check', 'SHA', '--gin_bindings', ' tfusq.surrogates.SHA.alpha = 4.0')
  assert code == 0 and 'SHA(alpha = 4)' in out
  code, out, _ = cli('check', 'Linear')
  assert code == 0 and out.startswith('Linear(') and out.count('passed') == 4
  code, _, err = cli('check', 'Linear', '--gin_bindings', 'Linear.end = -1.0')
  assert code == 1 and 'Linear fails 1 checks' in err
  code, out, _ = cli('check', 'Convolutional')
  assert code == 0 and out.count('passed') == 5
  code, _, err = cli('check', 'MSHyper')
  assert code == 1 and "--gin_bindings 'MSHyper.entropy_model = ...'" in err
  code, _, err = cli('check', 'GaussianMixture', '--gin_bindings', 'GaussianMixture.components = 0')
  assert code == 1 and 'at least 1' in err
  code, _, err = cli('check', 'Nope')
  assert code == 1 and 'no plugin Nope' in err


def test_a_run_is_trained_analyzed_and_evaluated_from_the_command_line(cli, photograph, tmp_path):
  from making import IMAGES, eager

  heldout = tmp_path / 'heldout'
  heldout.mkdir()
  (heldout / 'chelsea.png').write_bytes(image_files.encode(photograph[60:188, 80:272], 'png'))

  def eager_cli(*words):
    """Runs what trains or measures few steps; the export of what is evaluated is traced."""
    with eager():
      return cli(*words)

  words = [
    'train',
    '--model_dir',
    tmp_path / 'run',
    '--gin_file',
    'quickstart.gin',
    *(
      f'--gin_bindings={binding}'
      for binding in (
        f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
        'train.steps = 1',
        'train.interval = 1',
        'Patches.patch_size = 64',
        'Patches.batch_size = 1',
        'MSHyper.filters = 4',
        'MSHyper.latent_channels = 6',
        'train.initialization_patches = 2',
      )
    ),
  ]
  code, out, _ = eager_cli(*words, '--dry_run')
  assert code == 0 and '4 photographs' in out and not (tmp_path / 'run').exists()
  assert eager_cli(*words)[0] == 0
  code, _, err = cli(*words, '--gin_bindings=Codec.lmbda = 0.5')
  assert code == 1 and '-Codec.lmbda = %LMBDA' in err and '+Codec.lmbda = 0.5' in err
  code, out, _ = eager_cli('analyze', 'code_length', '--model_dir', tmp_path / 'run', heldout)
  assert code == 0 and 'Gaussian          zero' in out
  assert 'batched forward relative to codec' in out
  code, out, _ = eager_cli(
    'analyze',
    'scales',
    '--model_dir',
    tmp_path / 'run',
    heldout,
    '--out',
    tmp_path / 'analyses',
  )
  assert code == 0 and 'SUA+EP | SUA+STE' in out
  code, out, _ = eager_cli(
    'analyze', 'run', tmp_path / 'run', heldout, '--out', tmp_path / 'analyses'
  )
  assert code == 0 and 'distortion_noise' in out
  assert {path.name for path in (tmp_path / 'analyses').iterdir()} == {
    f'{name}.{kind}' for name in ('scales', 'scales_histogram', 'run') for kind in ('csv', 'png')
  }
  outputs = '--csv', tmp_path / 'run.csv', '--json', tmp_path / 'run.json'
  code, out, _ = cli('evaluate', '--model_dir', tmp_path / 'run', heldout, *outputs)
  assert code == 0 and 'R~' in out
  # The codec is exported, as `export` does it: see the tests of earlier runs.
  (description,) = json.loads((tmp_path / 'run.json').read_text())['meta']['codecs']
  assert description['step'] == 1 and 'MSHyper.filters = 4' in description['recipe']
  row, mean = csv.DictReader((tmp_path / 'run.csv').read_text().splitlines())
  assert row['image'] == 'chelsea.png' and row['label'] == description['identity']
  assert float(row['surrogate-bpp']) > 0 and mean['rate-mismatch'] == row['rate-mismatch']


def test_a_model_is_summed_up_by_its_gin_file(cli):
  code, out, _ = cli(
    'summary',
    '--gin_file',
    'models/ms_context_small.gin',
    '--gin_bindings',
    'MSContext.filters = 8',
  )
  assert out.splitlines()[-1].startswith('all')
  assert f'{"context":<18}{"460,992":>12}' in out
  code, _, err = cli(
    'summary', '--gin_file', 'models/elic_zero_small.gin', '--gin_bindings', 'ELIC.groups = (1, 2)'
  )
  assert code == 1 and 'ELIC.groups' in err


def test_the_version_is_that_of_the_distribution(cli, capsys, monkeypatch):
  with pytest.raises(SystemExit) as ended:
    cli('--version')
  assert ended.value.code == 0
  assert capsys.readouterr().out == f'tfusq {importlib.metadata.version("tfusq")}\n'

  def missing(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(importlib.metadata, 'version', missing)
  assert tfusq.__version__ == 'unknown (not installed)'


@pytest.mark.parametrize('words', [('train', '--model_dir', 'unused'), ('summary',)])
def test_a_command_that_needs_gin_files_says_so(words, cli):
  code, _, err = cli(*words)
  assert code == 1 and 'give --gin_file' in err


def test_a_model_of_another_kind_is_named(cli):
  code, _, err = cli(
    'summary',
    '--gin_file',
    'models/ms_hyper_small.gin',
    '--gin_bindings',
    'Codec.model = @Gaussian()',
  )
  assert code == 1 and 'Codec.model must be a Model' in err and err.count('\n') == 1
