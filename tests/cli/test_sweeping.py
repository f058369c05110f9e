"""`tfusq sweep` of forks: its commands, and a tiny one from end to end, lost disk included."""

import shutil

import pytest

from making import IMAGES
from tfusq import cli as command_line
from tfusq import image_files
from tfusq.image_files import read_image
from tfusq.sweeps import branches, trunk_checks
from tfusq.sweeps import job as jobs

TINY = """
include 'paper/small/forks/recipe.gin'
Sweep.lmbdas = (0.05,)
Sweep.seeds = (0,)
Sweep.forks = 2
Sweep.common = [
    'data/folder.gin', 'models/klt_hyper_zero.gin', 'MSHyper.filters = 4',
    'MSHyper.latent_channels = 64', 'synthesis/KLT.network = None', 'Patches.patch_size = 64',
    'Patches.batch_size = 1', 'train.interval = 1', 'train.initialization_patches = 4']
Sweep.joint = ['paper/small/forks/branch.gin', 'STEPS = 2', 'RISE = 1', 'FALL = 1']
Sweep.post = ['paper/small/forks/post.gin', 'STEPS = 1']
Sweep.grids = [{'rate | distortion': %AUN_AND_MIX}]
Sweep.cost_anchor = {'rate | distortion': 'AUN+PGE | AUN+PGE'}
Trunk.name = 'trunk'
Trunk.statements = ['quantizers/aun_pge.gin', 'paper/small/forks/trunk.gin']
Trunk.steps = 1
Trunk.extension = 1
Trunk.most_steps = 4
Trunk.saving = -10000.0
"""


@pytest.fixture
def words(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'tiny.gin').write_text(TINY)
  heldout = tmp_path / 'heldout'
  heldout.mkdir()
  image = read_image(IMAGES / 'heldout' / 'chelsea.webp')
  for number in range(2):
    crop = image[100:164, 100 * number : 100 * number + 96]
    (heldout / f'{number}.png').write_bytes(image_files.encode(crop, 'png'))
  return (
    *('sweep', 'tiny.gin', '--results', 'results', '--images', heldout),
    *('--gin_bindings', f"TRAIN_IMAGES = '{IMAGES / 'train'}'"),
    *('--gin_bindings', f"Trunk.images = '{heldout}'"),
  )


def test_the_commands_of_forks_begin_with_the_trunk(cli, words):
  code, out, err = cli(*words, '--dry_run')
  assert code == 0, err
  commands = out.splitlines()
  jpeg, trunk, evaluation, joint, post, *_ = commands
  assert len(commands) == 3 + 4 * 5 and '--anchor jpeg' in jpeg
  assert '--model_dir runs/trunk/lambda_0.05-seed_0 ' in trunk and "'train.steps = 1'" in trunk
  assert '--fork_from' not in trunk and '--model_dir runs/trunk/' in evaluation
  assert '--fork_from runs/trunk/lambda_0.05-seed_0 ' in joint and "'train.fork = 0'" in joint
  assert '--fork_from' not in post and 'Trunk.' not in out
  assert len(cli(*words, '--dry_run', '--part', '2/2')[1].splitlines()) == 3 + 2 * 5
  code, out, _ = cli(*words, '--report')
  assert code == 0 and 'no branch of AUN+PGE | AUN+PGE is finished yet' in out


def test_photographs_of_a_trunk_that_are_not_there_are_refused_at_once(cli, words):
  code, _, err = cli(*words, '--gin_bindings', "Trunk.images = 'nowhere'")
  assert code == 1 and 'no folder nowhere' in err


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_sweep_of_forks_is_done_reported_and_gone_on_with_from_its_records(
  cli, words, tmp_path, monkeypatch
):
  def call(command, log, lock):
    # In this process, whose output stays that of the sweep.
    code = command_line.main(command_line.parser().parse_args(command))
    return f'exit code {code}' if code else None

  monkeypatch.setattr(jobs, '_call', call)
  results = tmp_path / 'results'
  code, out, err = cli(*words)
  assert code == 0 and out.count('minutes') == 4, err
  (check,) = trunk_checks.read(results)
  assert (check.trunk, check.steps, check.images) == ('trunk', 1, 'heldout')
  found = branches.read(results)
  assert len(found) == 4 and {branch.steps for branch in found} == {'1'}

  code, report, _ = cli(*words, '--report')
  assert code == 0 and 'would have been decided' in report and '(2 forks, 2 images)' in report
  assert (results / 'report-tiny.txt').read_text() == report
  assert (results / 'report-tiny.csv').exists()

  # The disk is lost, but for the three files of the records.
  for path in results.iterdir():
    if path.name not in ('runs.csv', 'branches.csv', 'trunks.csv'):
      shutil.rmtree(path) if path.is_dir() else path.unlink()
  shutil.rmtree(tmp_path / 'runs')
  assert cli(*words, '--dry_run')[1] == '' and cli(*words, '--report')[1] == report
  assert cli(*words)[1].count('finished before') == 4 and not (tmp_path / 'runs').exists()

  # One branch is missing: its trunk is trained again, without an evaluation, to the same bits.
  lines = (results / 'runs.csv').read_text().splitlines(keepends=True)
  is_lost = [',1,' in line and line.startswith('aun_pge_round_ste') for line in lines]
  kept = [line for line, lost in zip(lines, is_lost, strict=True) if not lost]
  assert len(kept) < len(lines)
  (results / 'runs.csv').write_text(''.join(kept))
  trunk, joint, *_ = cli(*words, '--dry_run')[1].splitlines()
  assert 'train' in trunk and '--fork_from' in joint
  code, out, err = cli(*words)
  assert code == 0 and out.count('finished before') == 3 and out.count('minutes') == 1, err
  assert branches.read(results) == found and trunk_checks.read(results) == [check]
