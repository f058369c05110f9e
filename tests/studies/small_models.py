"""Trains the small versions of the nine models for minutes each.

    python tests/studies/small_models.py --train FOLDER --images FOLDER --out FOLDER [--steps 1500]

Each is trained, exported and evaluated by the command line, one after another. Results in the
folder are used again, and a run that was stopped is resumed. Printed are the validation loss of the
first and the last interval (with the surrogate, on batches of the images), and the bits of the
exported codec on the first images, real and estimated.
"""

import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path

from tfusq.image_files import list_images

MODELS = (
  'ms_hyper',
  'ms_hyper_zero',
  'ms_context',
  'cheng_anchor',
  'cheng_attn',
  'charm',
  'charm_zero',
  'elic_zero',
  'elic_sm_zero',
)
INTERVALS = 5


def run(*arguments):
  """Runs a command of tfusq."""
  subprocess.run(['tfusq', *arguments], check=True)


def losses(folder):
  """Returns a run's validation losses by interval, from its TensorBoard events."""
  from tfusq.training import events

  return [value for _, value in events.read_scalars(folder)['validation']['soft_loss']]


def study(name, arguments):
  """Trains, exports and evaluates one model.

  Args:
    name: Name of the model's gin file, without `_small`.
    arguments: Arguments of the command line.

  Returns:
    Seconds of training, losses by interval, and the values of the evaluation by name.
  """
  folder = Path(arguments.out) / name
  results_path = folder / 'results.json'
  if results_path.is_file():
    return json.loads(results_path.read_text())

  interval = arguments.steps // INTERVALS
  # The biased gradient of SUA+STE does not suit Cheng (Sec. 6.2).
  pair = 'sua_ep_sua_pge' if name.startswith('cheng') else 'sua_ep_sua_ste'
  start = time.time()
  bindings = {
    'LMBDA': 0.013,
    'TRAIN_IMAGES': repr(arguments.train),
    'Linear.end': 5.0,
    'VALIDATION_IMAGES': repr(arguments.images),
    'train.steps': INTERVALS * interval,
    'train.interval': interval,
    'Linear.steps': 4 * interval,
    'train.validation_batches': 2,
    'PiecewiseConstantDecay.boundaries': (3 * interval, 4 * interval),
    'PiecewiseConstantDecay.values': (5e-4, 2e-4, 5e-5),
    'Adam.global_clipnorm': 10.0,
  }
  files = (
    f'models/{name}_small.gin',
    f'quantizers/{pair}.gin',
    'stages/joint_minutes.gin',
    'data/folder_and_validation.gin',
  )
  options = [f'--gin_file={file}' for file in files]
  options += [f'--gin_bindings={key} = {value}' for key, value in bindings.items()]
  run('train', '--model_dir', str(folder / 'run'), *options)
  seconds = time.time() - start

  codec = str(folder / 'codec')
  run('export', '--model_dir', str(folder / 'run'), '--out', codec, '--force')

  few = folder / 'images'
  few.mkdir(exist_ok=True)
  for path in list_images(arguments.images)[: arguments.count]:
    shutil.copy(path, few)
  evaluation = folder / 'evaluation.json'
  run('evaluate', '--codec', codec, str(few), '--json', str(evaluation), '--force')

  results = {'seconds': seconds, 'losses': losses(folder / 'run')}
  for key, (value,) in json.loads(evaluation.read_text())['results'].items():
    results[key] = value
  results_path.write_text(json.dumps(results))
  return results


def main():
  """Prints a row for each model."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--train', required=True, help='photographs to train on')
  parser.add_argument('--images', required=True, help='photographs to validate and evaluate on')
  parser.add_argument('--out', required=True, help='folder for runs, codecs and results')
  parser.add_argument('--steps', type=int, default=1500)
  parser.add_argument('--count', type=int, default=4, help='number of images to compress')
  parser.add_argument('--models', nargs='*', default=MODELS, choices=MODELS)
  arguments = parser.parse_args()
  rows = [(name, study(name, arguments)) for name in arguments.models]
  print(
    f'{"":<14}{"train s":>9}{"first loss":>12}{"last loss":>11}{"bpp":>9}{"strings":>9}'
    f'{"estimate":>10}{"gap %":>8}{"PSNR":>8}{"enc s":>8}{"dec s":>8}'
  )
  for name, row in rows:
    gap = 100 * (row['coded-bpp'] / row['estimated-bpp'] - 1)
    print(
      f'{name:<14}{row["seconds"]:>9.0f}{row["losses"][0]:>12.3f}{row["losses"][-1]:>11.3f}'
      f'{row["bpp"]:>9.4f}{row["coded-bpp"]:>9.4f}{row["estimated-bpp"]:>10.4f}{gap:>8.3f}'
      f'{row["psnr-rgb"]:>8.2f}{row["encoding_time"]:>8.2f}{row["decoding_time"]:>8.2f}'
    )


if __name__ == '__main__':
  main()
