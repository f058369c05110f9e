import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from making import IMAGES, QUALITIES, RATES, make_curve
from tfusq import config, image_files


@pytest.fixture
def curves(tmp_path):
  """An anchor and a curve that needs a tenth less, as files."""
  paths = tmp_path / 'anchor.json', tmp_path / 'ours.json'
  for path, factor in zip(paths, (1, 0.9)):
    path.write_bytes(make_curve(factor * RATES, QUALITIES, path.stem).to_json())
  return paths


def test_bd_rate_says_what_it_rests_on(cli, curves):
  code, out, _ = cli('bdrate', *curves)
  assert code == 0
  anchor, points, head, line = out.splitlines()
  assert anchor.startswith('anchor  anchor, sha256 ') and len(anchor.split()[-1]) == 64
  assert '6 points, bpp 0.0700 to 1.9000, psnr-rgb 26.20 to 41.50 dB' in points
  assert 'pchip' in head and 'akima' in head
  assert line.split()[:3] == ['ours', '-10.000', '-10.000'] and '100 %' in line
  assert cli('bdrate', *curves, '--lowest', '4')[1].splitlines()[-1].endswith('0.6120')


def test_a_pinned_anchor_is_refused_beside_other_images(cli, curves):
  for words in (
    ('bdrate', 'kodak-bpg444-compressai', curves[1]),
    ('plot', curves[1], '--anchor', 'kodak-bpg444-tfc', '--out', 'x.png'),
  ):
    code, _, err = cli(*words)
    assert code == 1 and 'ours has no hashes of its images' in err and err.count('\n') == 1
  curve = json.loads(curves[1].read_text())
  curves[1].write_text(json.dumps({**curve, 'meta': {'images': {'a.png': '00'}}}))
  code, _, err = cli('bdrate', 'kodak-bpg444-compressai', curves[1])
  assert code == 1 and 'Use a live anchor' in err and err.count('\n') == 1


def test_file_names_of_any_bytes_and_length_are_evaluated(cli, tmp_path):
  folder = tmp_path / 'images'
  folder.mkdir()
  name = os.fsdecode(b'caf\xe9.png')
  Image.new('RGB', (16, 16), 'red').save(folder / name)
  json_path, csv_path = (tmp_path / f'{250 * "a"}{suffix}' for suffix in ('.json', '.csv'))
  code, _, err = cli('evaluate', folder, '--anchor', 'jpeg', '--json', json_path, '--csv', csv_path)
  assert code == 0, err
  assert list(json.loads(json_path.read_bytes())['meta']['images']) == [name]
  assert r'caf\udce9.png' in csv_path.read_text(encoding='utf-8')
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    csv_path.name,
    json_path.name,
    'images',
  ]


def test_curves_of_other_images_do_not_compare(cli, curves):
  for path, content in zip(curves, '01'):
    curve = json.loads(path.read_text())
    path.write_text(json.dumps({**curve, 'meta': {'images': {'a.png': content}}}))
  code, _, err = cli('bdrate', *curves)
  assert code == 1 and 'not of the same images: a.png' in err


def test_surrogates_are_compared_with_an_anchors_or_its_real_figures(cli, curves):
  code, _, err = cli('bdrate', *curves, '--surrogate')
  assert code == 1 and 'ours has no surrogate-bpp' in err
  curve = json.loads(curves[1].read_text())
  curve['results'] |= {'surrogate-bpp': list(1.2 * RATES), 'surrogate-psnr-rgb': list(QUALITIES)}
  curves[1].write_text(json.dumps(curve))
  code, out, _ = cli('bdrate', *curves, '--surrogate')
  assert code == 0 and out.splitlines()[-1].split()[1] == '20.000'
  _, out, _ = cli('bdrate', curves[1], curves[1], '--surrogate')
  assert out.splitlines()[-1].split()[1] == '0.000'


def test_a_plot_is_written_in_every_format_asked_for(cli, curves, tmp_path):
  words = (
    'plot',
    curves[1],
    '--anchor',
    curves[0],
    '--out',
    tmp_path / 'p.png',
    '--out',
    tmp_path / 'p.svg',
  )
  assert cli(*words)[0] == 0
  assert (tmp_path / 'p.png').stat().st_size and 'ours' in (tmp_path / 'p.svg').read_text()
  code, _, err = cli(*words)
  assert code == 1 and '--force replaces it' in err
  for more, reason in (
    (('--model_dir', tmp_path), 'nothing to draw'),
    ((), 'say what to draw'),
    ((curves[1], '--model_dir', tmp_path), 'say what to draw'),
    (('--model_dir', tmp_path, '--anchor', curves[0]), 'has no anchor'),
  ):
    code, _, err = cli('plot', *more, '--out', tmp_path / 't.png')
    assert code == 1 and reason in err


def test_what_is_left_out_is_said_and_may_be_compared_otherwise(cli, curves, tmp_path):
  curve = json.loads(curves[1].read_text())
  curve['results']['psnr-rgb'][2:] = [None] * 4
  curve['results']['psnr-of-mean-mse'] = list(QUALITIES)
  curves[1].write_text(json.dumps(curve))
  said = '4 of 6 points are left out, whose bpp or psnr-rgb is not finite (bpp 0.3150'
  code, out, _ = cli('bdrate', *curves)
  assert code == 0 and f'warning: ours: of the curve, {said}' in out
  assert 'compare by --quality psnr-of-mean-mse' in out
  code, out, _ = cli('plot', curves[1], '--anchor', curves[0], '--out', tmp_path / 'p.svg')
  assert code == 0 and f'warning: ours: {said}' in out
  anchor = json.loads(curves[0].read_text())
  anchor['results']['psnr-of-mean-mse'] = list(QUALITIES)
  curves[0].write_text(json.dumps(anchor))
  code, out, _ = cli('bdrate', *curves, '--quality', 'psnr-of-mean-mse')
  assert code == 0 and out.splitlines()[-1].split()[1] == '-10.000'
  code, out, _ = cli(
    'plot', *curves, '--quality', 'psnr-of-mean-mse', '--out', tmp_path / 'mean.svg'
  )
  assert code == 0 and 'warning' not in out


@pytest.mark.parametrize('content', [b'', b'\x1f\x8b', b'[1]', b'{"results": {"bpp": [NaN]}}'])
def test_what_is_no_curve_is_one_line(cli, curves, content):
  curves[1].write_bytes(content)
  for words in (('bdrate', *curves), ('plot', curves[1], '--out', 'x.png')):
    code, _, err = cli(*words)
    assert code == 1 and str(curves[1]) in err and err.count('\n') == 1


def test_a_format_that_cannot_code_an_image_does_all_others(cli, tmp_path):
  """The larger image is wider than a WebP may be; the JPEG of both compares over the other."""
  folder = tmp_path / 'images'
  folder.mkdir()
  small = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
  (folder / 'small.png').write_bytes(image_files.encode(small, 'png'))
  (folder / 'wide.png').write_bytes(image_files.encode(np.zeros([1, 17_000, 3], np.uint8), 'png'))

  webp, jpeg = tmp_path / 'webp.json', tmp_path / 'jpeg.json'
  code, out, err = cli('evaluate', folder, '--anchor', 'webp', '--json', webp)
  assert code == 1 and out.count('mean webp') == 7
  assert 'MS-SSIM: mean of 0 of 1 images' in out
  head, line = err.strip().splitlines()[-2:]
  assert head.endswith('evaluate: 1 image is left out of all means:')
  assert line.startswith('  wide.png at webp 0: webp cannot code 17000x1 pixels')
  assert line.endswith('(and 6 more)')

  assert cli('evaluate', folder, '--anchor', 'jpeg', '--json', jpeg)[0] == 0
  code, out, _ = cli('bdrate', webp, jpeg)
  assert code == 0
  assert 'warning: jpeg: means over 1 of 2 images; webp left out wide.png' in out
  code, out, _ = cli('plot', jpeg, '--anchor', webp, '--out', tmp_path / 'p.svg')
  assert code == 0 and 'webp left out wide.png' in out


def test_a_live_anchor_is_evaluated_over_a_folder(cli, tmp_path):
  path = tmp_path / 'jpeg.json'
  code, out, _ = cli('evaluate', IMAGES / 'heldout', '--anchor', 'jpeg', '--json', path)
  assert code == 0 and out.count('mean ') >= 6
  curve = json.loads(path.read_text())
  assert curve['results']['bpp'] == sorted(curve['results']['bpp'])
  assert curve['name'] == 'jpeg' and curve['meta']['codecs'][0]['anchor'] == 'jpeg'
  assert cli('bdrate', path, path)[1].splitlines()[-1].split()[1] == '0.000'


def test_a_sweep_shows_its_commands(cli, tmp_path):
  words = (
    'sweep',
    'paper/table_iii.gin',
    '--results',
    tmp_path,
    '--images',
    IMAGES / 'heldout',
    '--model_dir',
    tmp_path / 'runs',
    '--gin_bindings',
    'Sweep.lmbdas = (0.5,)',
    '--gin_bindings',
    "TRAIN_IMAGES = 'photographs'",
  )
  code, out, _ = cli(*words, '--dry_run')
  commands = out.splitlines()
  assert code == 0 and len(commands) == 9 * 5
  assert "--gin_bindings 'LMBDA = 0.5'" in commands[0] and 'Sweep.lmbdas' not in out
  assert commands[1].count('--init_from') == 1 and commands[3].startswith('tfusq evaluate ')
  assert commands[4].startswith('tfusq plot ')
  assert len(cli(*words, '--dry_run', '--part', '2/3')[1].splitlines()) == 3 * 5
  code, out, _ = cli(*words, '--report')
  assert code == 0 and 'heldout: no cell has all its rates yet' in out
  assert not list(tmp_path.glob('report*'))
  code, _, err = cli('sweep', 'quantizers/mix.gin', '--results', tmp_path, '--images', 'kodak')
  assert code == 1 and 'quantizers/mix.gin binds no Sweep' in err


def test_a_report_has_the_papers_figures_beside(cli, curves, tmp_path):
  words = ('sweep', 'paper/table_v.gin', '--results', tmp_path, '--images', 'kodak')
  config.parse(['paper/table_v.gin'], [], [])
  for run in config.build_configurable('Sweep').runs():
    for stage in ('joint', 'post'):
      place = 1 + [0.0018, 0.0035, 0.0067, 0.0130].index(run.lmbda)
      path = run.result(tmp_path, stage, 'kodak')
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(make_curve((RATES[place],), (QUALITIES[place],)).to_json())
  code, _, err = cli(*words, '--report')
  assert code == 1 and 'no anchor is of these images' in err
  code, out, _ = cli(*words, '--report', '--anchor', curves[0])
  line = next(line for line in out.splitlines() if line.startswith('Charm-zero, AUN+PGE | AUN'))
  assert code == 0 and '-4.18' in line and line.endswith('-18.14')
  assert 'cells can not be compared with fewer than two seeds' in out
  assert (tmp_path / 'report.txt').read_text() == out
  assert {path.name for path in tmp_path.glob('report*')} == {
    'report.txt',
    'report.csv',
    'report-kodak.png',
    'report-kodak.svg',
  }


def test_one_lambda_is_reported_by_its_costs(cli, tmp_path):
  words = (
    'sweep',
    'paper/small/annealing.gin',
    '--results',
    tmp_path,
    '--images',
    'kodak',
    '--report',
  )
  config.parse(['paper/small/annealing.gin'], [], [])
  rates = {'linear to 4': 0.95, 'linear to 8': 1.0, 'linear to 12': 1.3}
  for run in config.build_configurable('Sweep').runs():
    rate = rates[run.cell['annealing']] + 0.01 * run.seed
    curve = make_curve((rate,), (30.0,), codecs=[{'point': 'x', 'lmbda': run.lmbda}])
    curve = dataclasses.replace(curve, images=[{'point': 'x', 'bpp': rate, 'psnr-rgb': None}])
    for stage in ('joint', 'post'):
      path = run.result(tmp_path, stage, 'kodak')
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(curve.to_json())
  code, out, _ = cli(*words)
  assert code == 0 and 'kodak: cost at lambda 0.0067, %' in out and 'BD-rate, %' not in out
  line = next(line for line in out.splitlines() if 'linear to 4' in line)
  assert line.split('joint')[1].startswith('    -4.95 (-5.00 -4.95 -4.90)')
  assert {path.name for path in tmp_path.glob('report*')} == {'report.txt', 'report.csv'}
  code, out, _ = cli(*words, '--gin_bindings', 'Sweep.cost_anchor = None')
  assert code == 0 and out.startswith('kodak: 1 lambdas are too few for BD-rates')
  three = 'Sweep.lmbdas = (0.0067, 0.0067, 0.0067)'
  code, out, _ = cli(*words, '--gin_bindings', three)  # of no known anchor, but with costs
  assert code == 0 and out.startswith('kodak: no anchor is of these images') and 'cost at' in out


def test_a_report_needs_runs_csv_alone_and_names_its_line(cli, curves, tmp_path):
  words = ('sweep', 'paper/small/rates.gin', '--results', tmp_path, '--images', 'kodak', '--report')
  words = (*words, '--anchor', curves[0])
  config.parse(['paper/small/rates.gin'], [], [])
  for number, run in enumerate(config.build_configurable('Sweep').runs()):
    for stage in ('joint', 'post'):
      path = run.result(tmp_path, stage, 'kodak')
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(make_curve((RATES[number],), (QUALITIES[number],)).to_json())
  code, out, _ = cli(*words)
  assert code == 0 and 'BD-rate, %' in out
  for path in tmp_path.glob('*/*.json'):
    path.unlink()
  assert cli(*words) == (0, out, '')
  (tmp_path / 'runs.csv').write_text('edited')
  code, _, err = cli(*words)
  assert code == 1 and f'{tmp_path / "runs.csv"}, line 1: ' in err and err.count('\n') == 1


@pytest.mark.slow
def test_a_sweep_is_run_and_reported_by_the_console_script(tmp_path):
  (tmp_path / 'tiny.gin').write_text("""
include 'paper/small/recipe.gin'
Sweep.common = [
    'data/folder.gin', 'MSHyper.filters = 4', 'MSHyper.latent_channels = 6',
    'Patches.patch_size = 64', 'Patches.batch_size = 1', 'train.steps = 1', 'train.interval = 1']
Sweep.grids = [{'model': {'MS-hyper-zero': 'models/ms_hyper_zero_small.gin'},
                'rate | distortion': {'AUN+PGE | AUN+PGE': 'quantizers/aun_pge.gin'}}]
Sweep.lmbdas = (0.001,)
Sweep.seeds = (0,)
""")
  environment = {key: value for key, value in os.environ.items() if key != 'TF2_BEHAVIOR'}

  def run(*words):
    result = subprocess.run(
      [sys.executable, '-m', 'tfusq', *map(str, words)],
      text=True,
      capture_output=True,
      env=environment,
      cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout

  words = (
    'sweep',
    'tiny.gin',
    '--results',
    'results',
    '--images',
    IMAGES / 'heldout',
    '--gin_bindings',
    f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
  )
  assert run(*words).count('minutes') == 1
  assert run(*words).count('finished before') == 1
  results = sorted((tmp_path / 'results').rglob('*.json'))
  assert [path.name for path in results] == [
    f'lambda_0.001-seed_0-{stage}-heldout.json' for stage in ('joint', 'post')
  ]
  (picture,) = (tmp_path / 'results').rglob('*.png')
  assert picture.name == 'lambda_0.001-seed_0-training.png'
  for path in results:
    path.unlink()
  assert run(*words).count('finished before') == 1  # runs.csv has all
  assert run(*words, '--dry_run') == ''
