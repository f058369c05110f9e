"""Runs of a sweep; also as processes, which may be killed."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import pytest

from fork_results import make_forks
from making import make_curve, make_sweep
from tfusq import image_files
from tfusq.image_files import ImageError
from tfusq.sweeps import job as jobs
from tfusq.sweeps.job import Job, part
from tfusq.sweeps.results import ResultsFolder
from tfusq.sweeps.sweep import SweepError


@pytest.fixture
def job(tmp_path):
  return Job(
    model_dir=tmp_path / 'runs',
    results=ResultsFolder(tmp_path / 'results'),
    images=['images/kodak'],
    gin_bindings=["TRAIN_IMAGES = 'photos'"],
    gin_search_path=['own'],
  )


def finish(job, run, stages=('joint', 'post')):
  for stage in stages:
    path = run.result(job.results.path, stage, 'images/kodak')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make_curve((0.2,), (30.0,)).to_json())


def test_the_commands_of_a_run_are_those_a_user_would_type(job):
  run = make_sweep().runs()[5]
  joint, post, *evaluations, picture = job.commands(run)
  folder = str(job.model_dir / run.name)
  gin = ['--gin_bindings', "TRAIN_IMAGES = 'photos'", '--gin_search_path', 'own']
  assert joint[:3] == ['train', '--model_dir', f'{folder}/joint']
  assert joint[3:7] == ['--gin_file', 'data/folder.gin', '--gin_file', 'models/ms_hyper_small.gin']
  assert joint[-4:] == gin and post[-4:] == gin
  assert post[:5] == ['train', '--model_dir', f'{folder}/post', '--init_from', f'{folder}/joint']
  assert [command[:2] for command in evaluations] == [['evaluate', 'images/kodak']] * 2
  assert str(job.results.path / f'{run.name}-joint-kodak.json') in evaluations[0]
  assert picture == [
    'plot',
    '--model_dir',
    f'{folder}/joint',
    '--model_dir',
    f'{folder}/post',
    '--title',
    'MS-hyper SUA+EP | SUA+STE 1e-6 lambda 0.02 seed 0',
    '--out',
    str(job.results.path / f'{run.name}-training.png'),
    '--force',
  ]


def test_only_what_is_missing_is_done(job):
  run = make_sweep().runs()[0]
  finish(job, run, ['post'])
  train, evaluate, picture = job.commands(run)
  joint, post = (job.model_dir / run.name / stage for stage in ('joint', 'post'))
  assert train[2] == str(joint) and str(joint) in evaluate
  assert str(post) not in picture
  post.mkdir(parents=True)
  *_, picture = job.commands(run)
  assert picture[:5] == ['plot', '--model_dir', str(joint), '--model_dir', str(post)]
  finish(job, run)
  assert job.commands(run) == []


def test_what_runs_csv_has_is_finished(job):
  run, other = make_sweep().runs()[:2]
  finish(job, run)
  job.results.gather()
  for path in job.results.path.glob('*/*.json'):
    path.unlink()
  again = dataclasses.replace(job, results=ResultsFolder(job.results.path))
  assert again.missing(run) == [] == again.commands(run)
  assert len(again.missing(other)) == 2
  (outcome,) = jobs.perform(again, [run])
  assert outcome.remark == 'finished before'


@pytest.mark.parametrize('which', ['0/2', '3/2', '1', '1/0', 'a/b'])
def test_a_part_that_is_none_is_refused(which):
  with pytest.raises(SweepError, match='K/N'):
    part([], which)


def test_parts_make_the_whole():
  runs = make_sweep().runs()
  parts = [part(runs, f'{k}/3') for k in (1, 2, 3)]
  assert sorted(run.name for runs_of_part in parts for run in runs_of_part) == sorted(
    run.name for run in runs
  )


def test_a_failure_does_not_stop_the_others_and_is_done_again(job, monkeypatch):
  runs, calls = make_sweep().runs()[:3], []
  broken = {runs[1].name}

  def call(command, log, lock):
    calls.append(command)
    log.write_text(' '.join(command))
    if any(name in ' '.join(command) for name in broken):
      return 'the rate is not finite'
    if command[0] == 'evaluate':
      finish(job, next(run for run in runs if run.name in ' '.join(command)))
    return None

  monkeypatch.setattr(jobs, '_call', call)
  outcomes = list(jobs.perform(job, runs))
  assert [outcome.run for outcome in outcomes] == runs
  (failure,) = filter(None, [outcome.failure for outcome in outcomes])
  assert runs[1].name in failure and 'the rate is not finite' in failure
  broken.clear()
  calls.clear()
  outcomes = list(jobs.perform(job, runs))
  assert not any(outcome.failure for outcome in outcomes)
  assert [outcome.run for outcome in outcomes if outcome.is_new] == [runs[1]]
  assert calls and all(runs[1].name in ' '.join(command) for command in calls)


def is_free(folder):
  with jobs._locked(folder) as lock:
    return lock is not None


def test_two_processes_do_not_do_the_same_run(job):
  run = make_sweep().runs()[0]
  with jobs._locked(job.model_dir / run.name) as lock:
    assert lock is not None and not is_free(job.model_dir / run.name)
    (outcome,) = jobs.perform(job, [run])
  assert outcome.remark == 'another process is running it' and not outcome.failure
  assert is_free(job.model_dir / run.name)


def test_a_command_that_outlives_a_killed_sweep_keeps_others_out(tmp_path):
  command = tmp_path / 'command'
  command.write_text(
    f'#!/bin/sh\necho $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new '
    f'{tmp_path}/pid\nexec sleep 60\n'
  )
  command.chmod(0o755)
  script = (
    'import sys; from pathlib import Path; from tfusq.sweeps import job\n'
    'folder = Path(sys.argv[1]); job.sys.executable = sys.argv[2]\n'
    'with job._locked(folder) as lock: job._call([], folder / "log", lock)'
  )
  killed = subprocess.Popen([sys.executable, '-c', script, str(tmp_path), str(command)])
  while not (tmp_path / 'pid').exists():
    assert killed.poll() is None
    time.sleep(0.1)
  killed.kill()
  killed.wait()
  assert not is_free(tmp_path)
  os.kill(int((tmp_path / 'pid').read_text()), signal.SIGKILL)
  time.sleep(0.5)
  assert is_free(tmp_path)


def test_a_command_that_fails_says_why(tmp_path):
  log = tmp_path / 'log'
  with jobs._locked(tmp_path / 'run') as lock:
    assert jobs._call(['evaluate', str(tmp_path / 'none'), '--anchor', 'jpeg'], log, lock) == (
      f'tfusq evaluate: no folder {tmp_path / "none"}'
    )
    assert log.read_text().startswith('+ tfusq evaluate')
    assert 'No such file' in jobs._call(['info', str(tmp_path / 'none')], log, lock)


def test_what_would_fail_after_training_is_refused_before(job, photograph, tmp_path):
  with pytest.raises(ImageError, match='no folder'):
    job.check()
  for name in ('a/same', 'b/same'):
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / 'x.png').write_bytes(image_files.encode(photograph[:8, :8], 'png'))
  two = dataclasses.replace(job, images=[str(tmp_path / 'a/same'), str(tmp_path / 'b/same')])
  with pytest.raises(SweepError, match='two folders of images are called same'):
    two.check()
  dataclasses.replace(two, images=two.images[:1]).check()


@pytest.fixture
def branches(job, monkeypatch):
  """The branches of a sweep, whose commands are noted and leave results behind."""
  runs, done = make_forks().runs(), []

  def call(command, log, lock):
    done.append(command)
    for run in runs:
      if command[0] == 'evaluate' and run.name in ' '.join(command):
        finish(job, run)
    return

  def grow(ground, trunk, call):
    done.append(['grow', trunk.name])

  monkeypatch.setattr(jobs, '_call', call)
  monkeypatch.setattr(jobs, 'grow', grow)
  return runs, done


def test_a_branch_goes_on_from_its_trunk(job):
  run = make_forks().runs()[-1]
  joint, post, *_ = job.commands(run)
  trunk = str(job.model_dir / 'trunk/lambda_0.01-seed_1')
  folder = job.model_dir / 'sua/lambda_0.01-seed_1-fork_1'
  assert joint[:5] == ['train', '--model_dir', str(folder / 'joint'), '--fork_from', trunk]
  assert post[:5] == ['train', '--model_dir', str(folder / 'post'), '--init_from', joint[2]]
  assert 'train.fork = 1' in joint and 'train.fork = 1' in post


def test_a_trunk_is_grown_when_a_branch_needs_it_and_not_else(job, branches):
  runs, done = branches
  for run in runs[:4]:
    finish(job, run)
  list(jobs.perform(job, runs))
  grown = [command for command in done if command[0] == 'grow']
  assert grown == [['grow', 'trunk/lambda_0.01-seed_1']] * 4

  done.clear()
  list(jobs.perform(job, runs))
  assert done == []


def test_a_branch_that_has_begun_needs_its_trunk_no_more(job, branches):
  runs, done = branches
  joint = job.model_dir / runs[0].name / 'joint'
  joint.mkdir(parents=True)
  (joint / 'checkpoint').touch()
  list(jobs.perform(job, runs[:1]))
  assert done[0][0] == 'train'


def test_a_trunk_that_can_not_be_forked_fails_its_branches(job, branches, monkeypatch):
  runs, done = branches
  monkeypatch.setattr(jobs, 'grow', lambda *arguments: 'the trunk is no good')
  (outcome,) = jobs.perform(job, runs[:1])
  assert 'the trunk is no good' in outcome.failure and done == []


def test_the_commands_of_all_branches_begin_with_those_of_their_trunks(job):
  runs = make_forks().runs()
  commands = job.all_commands(runs)
  trunk_of = [command[2] for command in commands if command[0] == 'train']
  # A trunk, and two stages of its four branches; twice.
  assert [path.count('trunk') for path in trunk_of] == [1, *[0] * 8] * 2
  assert '--anchor' in commands[0]


def test_a_part_of_the_branches_needs_as_few_trunks_as_can_be():
  runs = make_forks().runs()
  assert [run.seed for run in part(runs, '1/2')] == [0] * 4
  assert [run.seed for run in part(runs, '2/2')] == [1] * 4
  assert [run for k in (1, 2, 3) for run in part(runs, f'{k}/3')] == runs
