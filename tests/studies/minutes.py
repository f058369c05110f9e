"""Measures how the cost of held-out photographs falls with the minutes of training.

    python tests/studies/minutes.py --train FOLDER --heldout FOLDER --out FOLDER [--minutes 10]

Four codecs are trained by the command line, one after another, with two seeds each: the small
MS-hyper-zero, it with 192 latent channels, the linear transform that begins as a Karhunen-Loeve
transform alone, and it with its network. Minutes are processor time, divided by the processors:
each codec takes as many steps as fit, and its learning rate ends at zero. Runs in the folder are
resumed, and finished ones are used again. Results are `minutes.csv` and `minutes.png` there.
"""

import argparse
import csv
import functools
import os
import resource
import subprocess
from pathlib import Path

from optimizers import stored
from tfusq.training import events

INTERVALS = 10
# Steps of the two runs whose difference in processor time is that of the steps between them.
CALIBRATION = (20, 80)
# The networks that begin at random are trained as `stages/joint_minutes.gin` does.
FROM_RANDOM = ('CosineDecay.warmup_target = 1e-3', 'Adam.global_clipnorm = 10.0')
LINEAR = ('analysis/KLT.network = None', 'synthesis/KLT.network = None')
CODECS = {
  'random start, 96 channels': ('models/ms_hyper_zero_small.gin', FROM_RANDOM),
  'random start, 192 channels': (
    'models/ms_hyper_zero_small.gin',
    (*FROM_RANDOM, 'MSHyper.latent_channels = 192'),
  ),
  'KLT start, linear alone': ('models/klt_hyper_zero.gin', LINEAR),
  'KLT start and network': ('models/klt_hyper_zero.gin', ()),
}


def train(folder, codec, seed, steps, interval, arguments):
  """Trains a codec to a number of steps; returns the processor time of the command, in seconds."""
  model, bindings = CODECS[codec]
  bindings = [
    *bindings,
    'LMBDA = 0.013',
    f'SEED = {seed}',
    f'STEPS = {steps}',
    f"TRAIN_IMAGES = '{arguments.train}'",
    f"VALIDATION_IMAGES = '{arguments.heldout}'",
    'validation/Patches.seed = 0',
    'train.validation_batches = 16',
    f'train.interval = {interval}',
  ]
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  subprocess.run(
    [
      'tfusq',
      'train',
      '--model_dir',
      str(folder),
      f'--gin_file={model}',
      '--gin_file=quantizers/mix.gin',
      '--gin_file=stages/joint_hour.gin',
      '--gin_file=data/folder_and_validation.gin',
      *(f'--gin_bindings={binding}' for binding in bindings),
    ],
    check=True,
  )
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds_per_step(codec, arguments):
  """Returns the processor time of a training step, in seconds, measured once."""
  out = Path(arguments.out)
  times = []
  for steps in CALIBRATION:
    folder = out / f'{codec}, {steps} steps'
    run = functools.partial(train, folder, codec, 0, steps, steps, arguments)
    times.append(stored(out / f'{folder.name}.json', run))
  return (times[1] - times[0]) / (CALIBRATION[1] - CALIBRATION[0])


def study(codec, seed, arguments):
  """Returns (minutes, cost) of the held-out patches during a run."""
  seconds = seconds_per_step(codec, arguments) / os.cpu_count()
  interval = round(60 * arguments.minutes / seconds / INTERVALS)
  folder = Path(arguments.out) / f'{codec}, seed {seed}'
  train(folder, codec, seed, INTERVALS * interval, interval, arguments)
  costs = events.read_scalars(folder)['validation']['loss']
  return [(step * seconds / 60, cost) for step, cost in costs]


def write(rows, out):
  """Writes the table and the picture."""
  import matplotlib

  from tfusq.curves import plot

  with open(out / 'minutes.csv', 'w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(['codec', 'seed', 'minutes', 'cost'])
    for codec, seed, points in rows:
      writer.writerows([codec, seed, f'{minutes:.3f}', f'{cost:.5f}'] for minutes, cost in points)

  with matplotlib.rc_context(plot.STYLE):
    figure = matplotlib.figure.Figure(figsize=(7, 4.5), layout='constrained')
    axes = figure.subplots()
    for codec, seed, points in rows:
      colour = f'C{list(CODECS).index(codec)}'
      label = codec if seed == 0 else None
      axes.plot(*zip(*points), color=colour, label=label, linestyle='--' if seed else '-')
    axes.set(
      xlabel='minutes of training', ylabel='cost of held-out patches, bpp + lambda D', yscale='log'
    )
    axes.legend()
    figure.savefig(out / 'minutes.png', dpi=150)


def main():
  """Prints the cost at the end of each run."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--train', required=True, help='photographs to train on')
  parser.add_argument('--heldout', required=True, help='photographs to measure the cost on')
  parser.add_argument('--out', required=True, help='folder for runs and results')
  parser.add_argument('--minutes', type=float, default=10, help='minutes of each run')
  arguments = parser.parse_args()
  Path(arguments.out).mkdir(parents=True, exist_ok=True)
  rows = []
  for codec in CODECS:
    for seed in (0, 1):
      points = study(codec, seed, arguments)
      rows.append((codec, seed, points))
      print(f'{codec:<28} seed {seed}  {points[-1][0]:.1f} min  cost {points[-1][1]:.4f}')
  write(rows, Path(arguments.out))


if __name__ == '__main__':
  main()
