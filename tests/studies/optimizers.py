"""Adam, SOAP and Muon on the light codec that begins as a transform coder, at equal processor time.

    python tests/studies/optimizers.py --train FOLDER --heldout FOLDER --out FOLDER
      [--minutes 8] [--choice_minutes 3] [--seeds 3]

Minutes are those of two cores, so that a run of 8 takes 16 minutes of processor time. First the
processor time of a step is measured of each optimizer, which gives the number of its steps. Its
learning rate is then chosen on the held-out photographs, with another seed, among three, and
further ones by factors of two as long as the best is the least or the largest. Then all are trained
with each seed: the same patches, noise and weights at the start, and a learning rate that falls to
zero along a cosine. Printed is R + lambda D with rounding, of the moving averages of the weights,
over the middle 512x512 pixels of each photograph; `optimizers.csv` in the folder has all runs.

Each run is a process of its own, one after another. Results in the folder are used again, and a run
that was stopped is resumed: kill the process group, and give the same command.
"""

import argparse
import concurrent.futures
import csv
import functools
import json
import math
import multiprocessing
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.stats

from tfusq import files

# The first learning rates by optimizer: that of the recipe in the middle for Adam, and for the
# others, whose steps have its size, up to near 3e-3, which SOAP's authors recommend.
FIRST_RATES = {
  'Adam': (2.5e-4, 5e-4, 1e-3),
  'SOAP': (5e-4, 1e-3, 2e-3),
  'Muon': (5e-4, 1e-3, 2e-3),
}
MOST_RATES = 5

LMBDA = 0.013
WARMUP_STEPS = 100
INTERVAL = 100
CHOICE_SEED = 100
SIDE = 512

# The time of a step is the median over blocks of ten, within which SOAP changes its bases once.
BLOCK = 10
BLOCKS = 12
BLOCKS_LEFT_OUT = 2

COLUMNS = [
  'stage',
  'optimizer',
  'learning_rate',
  'seed',
  'steps',
  'cost',
  'bpp',
  'psnr',
  'seconds_per_step',
]
FILES = (
  'models/klt_hyper_zero.gin',
  'quantizers/sua_ep_sua_ste.gin',
  'stages/joint_hour.gin',
  'data/folder.gin',
)


class Run(NamedTuple):
  """One training.

  Attributes:
    folder: Folder of the run and its result.
    optimizer: Name of the optimizer.
    rate: Learning rate after the warm-up.
    seed: Seed of patches, noise and weights.
    steps: Number of steps.
    train: Folder of photographs to train on.
    heldout: Folder of photographs to evaluate on.
  """

  folder: Path
  optimizer: str
  rate: float
  seed: int
  steps: int
  train: str
  heldout: str


@functools.cache
def register():
  """Registers the optimizers with gin."""
  import gin

  import kernel_optimizers

  for cls in (kernel_optimizers.SOAP, kernel_optimizers.Muon):
    gin.external_configurable(cls, module='kernel_optimizers')


def configure(run):
  """Parses the configuration of a run, in a process of its own."""
  from tfusq import config

  register()

  bindings = {
    'LMBDA': LMBDA,
    'SEED': run.seed,
    'STEPS': run.steps,
    'TRAIN_IMAGES': repr(run.train),
    'train.interval': INTERVAL,
    'train.optimizer': f'@{run.optimizer}()',
    f'{run.optimizer}.learning_rate': '@CosineDecay()',
    f'{run.optimizer}.global_clipnorm': 1.0,
    'CosineDecay.warmup_target': run.rate,
    'CosineDecay.warmup_steps': WARMUP_STEPS,
    'CosineDecay.decay_steps': run.steps - WARMUP_STEPS,
  }
  config.parse(list(FILES), [f'{key} = {value}' for key, value in bindings.items()], [])
  return config


def times_of_steps(runs):
  """Measures the steps of several optimizers in turn, so that other work slows all of them alike.

  Args:
    runs: Runs of which the first steps are measured; nothing is written.

  Returns:
    Seconds of a step by run: processor time, the median over blocks, and wall time, the least.
  """
  from tfusq.training import fixed_order

  data = configure(runs[0]).build_parameter('train.data')
  data.survey([])  # as a run does before its first step
  with fixed_order.additions():
    steps = [first_steps(run, data) for run in runs]
    times = [[] for _ in runs]
    for number in range(BLOCKS_LEFT_OUT + BLOCKS):
      for step, measured in zip(steps, times):
        start = time.process_time(), time.monotonic()
        for _ in range(BLOCK):
          step()
        end = time.process_time(), time.monotonic()
        if number >= BLOCKS_LEFT_OUT:
          measured.append(np.subtract(end, start) / BLOCK)
  return [(float(np.median(of_run, 0)[0]), float(np.min(of_run, 0)[1])) for of_run in times]


def first_steps(run, data):
  """Returns a function that takes the next step of a run on patches, and waits for it."""
  config = configure(run)

  from tfusq.training import distribute
  from tfusq.training.averages import MovingAverages

  codec = config.build_parameter('train.codec')
  optimizer = config.build_parameter('train.optimizer')
  codec.compile(optimizer)
  optimizer.build(codec.trainable_variables)
  codec.averages = MovingAverages(codec.trainable_variables, 0.998)

  train_step = codec.make_train_function()
  batches = iter(distribute.batches(data))
  return lambda: float(train_step(batches)['loss'])


def train_and_evaluate(run):
  """Trains, or resumes a run, and evaluates it.

  Args:
    run: The run.

  Returns:
    Cost, rate in bits per pixel and PSNR in dB, means over the images; infinite and NaN if the
    training diverged. The costs by image, and processor seconds and steps of this process.
  """
  config = configure(run)

  from tfusq.training import checkpoints
  from tfusq.training.recipes import TrainingError

  model_dir = str(run.folder / 'run')
  first = checkpoints.newest(model_dir) or 0
  start = time.process_time()
  try:
    config.build('train')(model_dir=model_dir, recipe=config.recipe)
  except TrainingError as error:
    if 'the last good checkpoint' not in str(error):
      raise
    return {'cost': math.inf, 'bpp': math.nan, 'psnr': math.nan, 'error': str(error)}
  seconds = time.process_time() - start
  by_image = evaluate(model_dir, run.heldout)
  means = {name: float(np.mean(values)) for name, values in by_image.items()}
  return {**means, 'costs': by_image['cost'], 'seconds': seconds, 'timed_steps': run.steps - first}


def evaluate(model_dir, heldout):
  """Evaluates the moving averages of a run, with rounding and estimated rates.

  Args:
    model_dir: Run directory.
    heldout: Folder of photographs, of at least 512x512 pixels.

  Returns:
    Values by image of `cost`, `bpp` and `psnr`.
  """
  import tensorflow as tf

  from tfusq import image_files, runs
  from tfusq.transforms import pixels

  codec = runs.load_run(model_dir, [])

  @tf.function
  def rate_and_error(x):
    terms = codec.hard(pixels.from_uint8(x))
    return terms.bpp, terms.mse

  by_image = {'cost': [], 'bpp': [], 'psnr': []}
  for path in image_files.list_images(heldout):
    image = image_files.read_image(path)
    top, left = [(side - SIDE) // 2 for side in image.shape[:2]]
    bpp, mse = rate_and_error(image[None, top : top + SIDE, left : left + SIDE])
    by_image['cost'].append(float(bpp + LMBDA * 255**2 * mse))
    by_image['bpp'].append(float(bpp))
    by_image['psnr'].append(-10 * math.log10(float(mse)))
  return by_image


def in_own_process(function, argument):
  """Returns what a function returns, called in a new process."""
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
    return pool.submit(function, argument).result()


def stored(path, make):
  """Returns the JSON value in a file, made and written first where there is none."""
  if not path.is_file():
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, json.dumps(make()).encode())
  return json.loads(path.read_text())


class Study:
  """The runs of a folder.

  Attributes:
    rows: Values of the runs so far, in order, for the table of all of them.
  """

  def __init__(self, arguments):
    self._arguments = arguments
    self._out = Path(arguments.out)
    self.rows = []
    self._seconds = {}

  def calibrate(self):
    """Measures the time of a step of each optimizer."""
    names = self._arguments.optimizers
    runs = [self._run('time', name, FIRST_RATES[name][1], 0, 1000) for name in names]
    path = self._out / f'time_{"_".join(names)}.json'
    measured = stored(path, lambda: in_own_process(times_of_steps, runs))
    for name, (processor, wall) in zip(names, measured, strict=True):
      self._seconds[name] = processor
      print(f'{name}: {processor:.3f} s of processor time a step, {wall:.3f} s at its fastest')

  def choose_rate(self, name):
    """Returns the learning rate of an optimizer that short runs do best with."""
    costs = {}
    rates = list(FIRST_RATES[name])
    while rates:
      rate = rates.pop(0)
      costs[rate] = self.cost('choice', name, rate, CHOICE_SEED)
      best = min(costs, key=costs.get)
      if not rates and len(costs) < MOST_RATES:
        if best == min(costs):
          rates = [best / 2]
        elif best == max(costs):
          rates = [best * 2]
    return best

  def cost(self, stage, name, rate, seed):
    """Returns the cost of a run, trained and evaluated first where it is not yet."""
    minutes = self._arguments.choice_minutes if stage == 'choice' else self._arguments.minutes
    steps = int(2 * 60 * minutes / self._seconds[name] / INTERVAL + 0.5) * INTERVAL
    run = self._run(stage, name, rate, seed, steps)
    path = run.folder / 'result.json'
    result = stored(path, lambda: in_own_process(train_and_evaluate, run))
    row = [stage, name, rate, seed, steps, result['cost'], result['bpp'], result['psnr']]
    # A process that found a run complete has timed none.
    timed_steps = result.get('timed_steps')
    row.append(result['seconds'] / timed_steps if timed_steps else math.nan)
    self.rows.append(row)
    print(f'{stage:<7}{name:<5} {rate:.3g}, seed {seed}, {steps} steps: {result["cost"]:.4f}')
    self._write()
    return result['cost']

  def _run(self, stage, name, rate, seed, steps):
    folder = self._out / f'{stage}_{name}_{rate:.3g}_{seed}_{steps}'
    return Run(folder, name, rate, seed, steps, self._arguments.train, self._arguments.heldout)

  def _write(self):
    with (self._out / 'optimizers.csv').open('w', newline='') as file:
      writer = csv.writer(file)
      writer.writerow(COLUMNS)
      writer.writerows(self.rows)


def interval_of_mean(values):
  """Returns the mean of a few values and half the length of its interval of 95 % confidence."""
  quantile = scipy.stats.t.ppf(0.975, len(values) - 1)
  return float(np.mean(values)), float(quantile * scipy.stats.sem(values))


def report(costs, rates):
  """Prints means and spreads, and the differences of pairs of equal seeds.

  Args:
    costs: Costs by optimizer, two or more, in order of the seeds.
    rates: Learning rates by optimizer.
  """
  print(f'\n{"":<6}{"rate":>9}{"mean":>9}{"std":>9}  by seed')
  for name, values in costs.items():
    by_seed = ' '.join(f'{value:.4f}' for value in values)
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    print(f'{name:<6}{rates[name]:>9.3g}{mean:>9.4f}{deviation:>9.4f}  {by_seed}')

  print("\ndifference of pairs, % of the second one's cost, with 95 % confidence")
  names = list(costs)
  for number, second in enumerate(names):
    for first in names[number + 1 :]:
      differences = 100 * (np.divide(costs[first], costs[second]) - 1)
      mean, half = interval_of_mean(differences)
      verdict = 'decided' if abs(mean) > half else 'undecided'
      print(f'{first} - {second}: {mean:+.2f} +- {half:.2f}, {verdict}')


def main():
  """Prints costs, and differences from the second seed on."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--train', required=True, help='photographs to train on')
  parser.add_argument('--heldout', required=True, help='photographs to choose and compare on')
  parser.add_argument('--out', required=True, help='folder for runs and results')
  parser.add_argument('--minutes', type=float, default=8, help='of two cores, for each run')
  parser.add_argument('--choice_minutes', type=float, default=3, help='of two cores, to choose')
  parser.add_argument('--seeds', type=int, default=3)
  parser.add_argument('--optimizers', nargs='*', default=list(FIRST_RATES), choices=FIRST_RATES)
  arguments = parser.parse_args()
  study = Study(arguments)

  study.calibrate()
  rates = {name: study.choose_rate(name) for name in arguments.optimizers}
  costs = {name: [] for name in arguments.optimizers}
  for seed in range(arguments.seeds):
    for name in arguments.optimizers:
      costs[name].append(study.cost('study', name, rates[name], seed))
    if seed:
      report(costs, rates)


if __name__ == '__main__':
  main()
