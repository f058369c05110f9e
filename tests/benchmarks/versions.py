"""What versions of TensorFlow have in common: losses, identities, files and pixels.

    python tests/benchmarks/versions.py FOLDER [--other FOLDER ...]

Run it in each environment with a folder of its own. It trains three small codecs for three steps
from fixed seeds, exports them, and writes losses, identities and files to the folder. Of the other
folders, which other environments wrote, it exports the checkpoints and decodes the files, and says
whether identity, file and pixels are the same. Without a range coder it trains alone.
"""

import argparse
import hashlib
import json
import os
import platform
from pathlib import Path

# Before TensorFlow is imported, which reads it then.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np
import tensorflow as tf
from absl import logging

import tfusq
from tfusq import config, image_files, runs
from tfusq.coding import range_coder
from tfusq.export import saved_model
from tfusq.export.client import ExportedCodec
from tfusq.training import events

IMAGES = Path(tfusq.__file__).resolve().parent / 'images'
RESULTS = 'results.json'
STEPS = 3
MODELS = {
  'MS-hyper-zero': (
    ['models/ms_hyper_zero_small.gin'],
    ['MSHyper.filters = 12', 'MSHyper.latent_channels = 16'],
  ),
  'MS-context, mixture': (
    ['models/ms_context_small.gin', 'entropy_models/gaussian_mixture.gin'],
    ['MSContext.filters = 12', 'MSContext.latent_channels = 16'],
  ),
  'ELIC-zero': (
    ['models/elic_zero_small.gin'],
    ['ELIC.filters = 12', 'ELIC.latent_channels = 24', 'ELIC.groups = (4, 4, 16)'],
  ),
}
COMMON_FILES = ['quantizers/sua_ep_sua_ste.gin', 'stages/joint.gin', 'data/folder.gin']
COMMON_BINDINGS = [
  'LMBDA = 0.013',
  'Patches.patch_size = 64',
  f'train.steps = {STEPS}',
  'train.interval = 1',
]


def train(name, run):
  """Trains a model; returns the loss of each step."""
  gin_files, bindings = MODELS[name]
  photographs = f'TRAIN_IMAGES = {str(IMAGES / "train")!r}'
  config.parse(gin_files + COMMON_FILES, [*bindings, *COMMON_BINDINGS, photographs], [])
  config.build('train')(model_dir=str(run), recipe=config.recipe)
  return [value for _, value in events.read_scalars(run)['train']['loss']]


def export(run, out):
  """Exports a run's newest checkpoint, its latents enlarged; returns the identity."""
  codec = runs.load_run(run, [])
  # After three steps nearly all of them would be 0, and a file would show nothing.
  for layers, factor in ((codec.model.analysis, 30), (codec.model.hyper_analysis, 30)):
    last = layers.layers[-1]
    kernel = getattr(last, 'down', last).kernel
    kernel.assign(factor * kernel)
  return saved_model.export(codec.centred_model, out, {}, force=True)


def write(name, folder):
  """Trains, exports and codes one model; returns what is compared of it."""
  row = {'losses': train(name, folder / 'run')}
  if not has_range_coder():
    return row

  row['identity'] = export(folder / 'run', folder / 'codec')
  codec = ExportedCodec(folder / 'codec')
  data = codec.compress(photograph())
  (folder / 'image.usq').write_bytes(data)
  np.save(folder / 'decoded.npy', codec.decompress(data))
  return {**row, 'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()[:16]}


def read(folder, theirs, scratch):
  """Exports another environment's checkpoint and decodes its file; returns what it finds."""
  identity = export(folder / 'run', scratch)
  codec = ExportedCodec(scratch)
  data = codec.compress(photograph())
  found = {'identity': identity, 'bytes': len(data)}
  if 'identity' not in theirs:
    return found

  file = (folder / 'image.usq').read_bytes()
  decoded = np.load(folder / 'decoded.npy').astype(int)
  found['same identity'] = identity == theirs['identity']
  found['same file'] = data == file
  # By the codec exported here, and by the one exported there.
  for label, reader in (('here', codec), ('there', ExportedCodec(folder / 'codec'))):
    difference = np.abs(decoded - reader.decompress(file)).max()
    found[f'pixels, codec of {label}'] = int(difference)
  return found


def photograph():
  return image_files.read_image(IMAGES / 'heldout' / 'chelsea.webp')


def has_range_coder():
  try:
    range_coder.operations()
  except range_coder.RangeCoderError:
    return False
  return True


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('folder', type=Path, help='empty folder to write to')
  parser.add_argument('--other', type=Path, action='append', default=[], help='repeatable')
  arguments = parser.parse_args()
  logging.set_verbosity(logging.ERROR)

  label = f'TensorFlow {tf.__version__}, Python {platform.python_version()}'
  print(label)
  results = {'label': label, 'models': {}}
  for name in MODELS:
    folder = arguments.folder / name
    folder.mkdir(parents=True)
    results['models'][name] = row = write(name, folder)
    print(f'  {name}: {row}')
  (arguments.folder / RESULTS).write_text(json.dumps(results, indent=2))

  for other in arguments.other:
    theirs = json.loads((other / RESULTS).read_text())
    print(f'of {theirs["label"]}')
    for name, row in theirs['models'].items():
      ours = results['models'][name]['losses']
      difference = max(abs(a / b - 1) for a, b in zip(ours, row['losses'], strict=True))
      print(f'  {name}: losses differ by {difference:.1e}')
      if has_range_coder():
        print(f'    {read(other / name, row, arguments.folder / "scratch")}')


if __name__ == '__main__':
  main()
