"""The small versions of the nine models, trained for minutes: run as

    python tests/studies/small_models.py --train FOLDER --images FOLDER --out FOLDER [--steps 1500]

Each is trained by `tfusq train`, exported and evaluated by the command line, one after another;
what is finished in the folder is taken from there, and a run that was stopped goes on. Prints for
each the validation loss at its first and last interval (with the surrogate, on batches of the
images), and the exported codec's real bits beside its estimate over the first images.
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
  subprocess.run(['tfusq', *arguments], check=True)


def losses(folder):
  """Returns a run's validation losses by interval, from its TensorBoard events."""
  from tfusq.training import events

  return [value for _, value in events.read_scalars(folder)['validation']['soft_loss']]


def study(name, arguments):
  """Trains, exports and evaluates one model; returns its figures."""
  folder = Path(arguments.out) / name
  done = folder / 'figures.json'
  if done.is_file():
    return json.loads(done.read_text())
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
  run(
    'train',
    '--model_dir',
    str(folder / 'run'),
    *(f'--gin_file={file}' for file in files),
    *(f'--gin_bindings={key} = {value}' for key, value in bindings.items()),
  )
  seconds = time.time() - start
  run('export', '--model_dir', str(folder / 'run'), '--out', str(folder / 'codec'), '--force')
  few = folder / 'images'
  few.mkdir(exist_ok=True)
  for path in list_images(arguments.images)[: arguments.count]:
    shutil.copy(path, few)
  run(
    'evaluate',
    '--codec',
    str(folder / 'codec'),
    str(few),
    '--json',
    str(folder / 'evaluation.json'),
    '--force',
  )
  results = json.loads((folder / 'evaluation.json').read_text())['results']
  figures = {
    'seconds': seconds,
    'losses': losses(folder / 'run'),
    **{key: value for key, (value,) in results.items()},
  }
  done.write_text(json.dumps(figures))
  return figures


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--train', required=True, help='photographs to train on')
  parser.add_argument('--images', required=True, help='photographs to validate and evaluate on')
  parser.add_argument('--out', required=True, help='folder for runs, codecs and figures')
  parser.add_argument('--steps', type=int, default=1500)
  parser.add_argument('--count', type=int, default=4, help='of images that are compressed')
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
