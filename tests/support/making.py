"""Makers of the objects that tests share: codecs, patches, curves, sweeps, and runs compared."""

import contextlib
from pathlib import Path

import numpy as np
import tensorflow as tf

import tfusq
from tfusq import config
from tfusq.curves.curve import Curve
from tfusq.export import bands
from tfusq.models import in_tiles
from tfusq.refinement import Refinement, Refiner
from tfusq.sweeps.sweep import Sweep
from tfusq.training import patches
from tfusq.transforms import networks

IMAGES = Path(tfusq.__file__).resolve().parent / 'images'


def make_codec(
  filters=8,
  latent_channels=12,
  bound=0.11,
  zero_centre=True,
  distortion=None,
  train_encoder=True,
  lmbda=0.05,
  seed=0,
  rate=None,
  entropy_model=None,
  model=tfusq.MSHyper,
  **options,
):
  """Makes a codec small enough for tests; by default MS-hyper with `SUA+EP | SUA+STE`.

  Further options are those of `Codec`.
  """
  tf.keras.utils.set_random_seed(seed)
  model = model(
    entropy_model or tfusq.Gaussian(bound), tfusq.Factorized(), filters, latent_channels
  )
  alpha = tfusq.Linear(12.0, 60)
  codec = tfusq.Codec(
    model,
    rate or tfusq.Quantizer(tfusq.SUA(alpha), tfusq.EP()),
    distortion or tfusq.Quantizer(tfusq.SUA(alpha), tfusq.STE()),
    tfusq.Quantizer(tfusq.AUN(), tfusq.PGE()),
    tfusq.Quantizer(tfusq.Round(), tfusq.STE()),
    lmbda=lmbda,
    zero_centre=zero_centre,
    train_encoder=train_encoder,
    seed=seed,
    **options,
  )
  codec.create()
  return codec


def make_variable_codec(lambdas=(0.02, 0.32), lively=True, **options):
  """Makes a codec of variable rate, each of whose gains is another one.

  Args:
    lambdas: Lambda of each level.
    lively: Whether latents are scaled up to several symbols.
    **options: Options of `make_codec`.
  """
  codec = make_codec(variable_rate=tfusq.VariableRate(lambdas), **options)
  move_gains(codec)
  if lively:
    kernel = last_convolution(codec.model.analysis).kernel
    kernel.assign(30 * kernel)
    enliven(codec)
  return codec


def make_variable_coder():
  """Makes a codec of variable rate that codes well without training, a transform coder.

  The higher the quality, the more bytes and the higher the PSNR.
  """
  transforms = tfusq.KLT(0.01, network=None)
  codec = make_codec(
    8,
    64,
    model=lambda *sizes: tfusq.MSHyper(*sizes, analysis=transforms, synthesis=transforms),
    variable_rate=tfusq.VariableRate((0.003, 0.05)),
    lmbda=0.01,
  )
  images = [make_patches().patch(index) for index in range(8)]
  codec.model.initialize_from_data(np.stack(images).astype(np.float32) / 255)
  move_gains(codec, 0.01)
  return codec


def make_refiner(codec):
  """Makes a codec's refiner through SGA, as `refinements/sga.gin` binds it."""
  tau = tfusq.Exponential(0.5, 0.0025, 200, 0.1)
  sga = tfusq.Quantizer(tfusq.SGA(tau), tfusq.PGE())
  return Refiner(codec.centred_model, Refinement(sga, sga), codec.distortion_measure, codec.lmbda)


def move_gains(codec, by=0.1):
  """Moves the gains of all levels and channels, so that none is at its start.

  Args:
    codec: Codec of variable rate.
    by: Deviation of the logarithms.
  """
  levels = codec.variable_rate
  for number, part in enumerate((levels.gain, levels.inverse_gain, levels.widening)):
    variable = part.values
    variable.assign_add(by * tf.random.stateless_normal(variable.shape, [number, 3]))


@contextlib.contextmanager
def eager():
  """Runs training and functions without tracing, which takes longer than a few steps do."""
  tf.config.run_functions_eagerly(True)
  try:
    yield
  finally:
    tf.config.run_functions_eagerly(False)


def code_in_small_pieces(monkeypatch):
  """Makes codecs that are exported from now on code small pictures as they do large ones.

  Tiles have 64 pixels or 4 positions of a latent on a side, and 12 positions are coded at once.
  """
  monkeypatch.setattr(in_tiles, 'SIDE', 64)
  monkeypatch.setattr(in_tiles, 'LATENT_SIDE', 4)
  monkeypatch.setattr(networks, '_TILE_SIDE', 4)
  monkeypatch.setattr(bands, 'POSITIONS', 12)


def enliven(codec):
  """Makes the hyperlatent large enough not to round to 0 everywhere."""
  kernel = codec.model.hyper_analysis.layers[-1].kernel
  kernel.assign(100 * kernel)


def last_convolution(analysis):
  """Returns the convolution that makes the latent, in front of attention if there is some."""
  last = analysis.layers[-1]
  return getattr(last, 'down', last)


def make_patches(batch_size=2, patch_size=64, folder='train', seed=0):
  """Makes patches of the embedded photographs, of which `train` and `heldout` are folders."""
  return patches.Patches(str(IMAGES / folder), patch_size, batch_size, seed)


def make_curve(bpp=(0.2, 0.4, 0.8), psnr=(28.0, 31.0, 34.0), name='ours', **meta):
  """Makes a curve without images; `meta` is what is recorded of it."""
  return Curve(name, '', meta, {'bpp': list(bpp), 'psnr-rgb': list(psnr)})


# A curve of six codecs, in bpp and dB.
RATES = np.array([0.07, 0.16, 0.35, 0.68, 1.2, 1.9])
QUALITIES = np.array([26.2, 28.7, 31.6, 34.9, 38.3, 41.5])


# Four cells; the second pair of quantizers takes a file and a binding.
GRID = {
  'model': {'MS-hyper': 'models/ms_hyper_small.gin'},
  'rate | distortion': {
    'AUN+PGE | AUN+PGE': 'quantizers/aun_pge.gin',
    'SUA+EP | SUA+STE': ['quantizers/sua_ep_sua_ste.gin', 'Linear.end = 4.0'],
  },
  'bound': {'1e-6': 'BOUND = 1e-6', '0.11': 'BOUND = 0.11'},
}


def make_sweep(**changes):
  """Makes a sweep over `GRID` with two stages, with other arguments where they are given."""
  return Sweep(
    **{
      'grids': [GRID],
      'lmbdas': (0.01, 0.02),
      'seeds': (0, 1),
      'common': ['data/folder.gin'],
      'joint': ['stages/joint.gin'],
      'post': 'stages/post.gin',
      'joint_axes': ('rate | distortion', 'bound'),
      **changes,
    }
  )


def contents(model_dir):
  """Returns every value in a run's newest checkpoint, slots and step too, but not its counter."""
  reader = tf.train.load_checkpoint(str(model_dir))
  return {
    name: reader.get_tensor(name)
    for name in reader.get_variable_to_shape_map()
    if 'save_counter' not in name and '_CHECKPOINTABLE' not in name
  }


def assert_equal_runs(one, other):
  """Asserts that two runs have the same networks and optimizer, bit for bit."""
  one, other = contents(one), contents(other)
  assert one.keys() == other.keys() and len(one) > 100
  for name, value in one.items():
    np.testing.assert_array_equal(value, other[name], err_msg=name)


# Bindings of the smallest codec that a gin file of the package builds.
TINY = [
  f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
  'MSHyper.filters = 4',
  'MSHyper.latent_channels = 6',
  'train.initialization_patches = 2',
]


def build_codec(*bindings, files=('quickstart.gin',)):
  config.parse(list(files), [*TINY, *bindings], [])
  return config.build_parameter('train.codec')


# Bindings of each model's smallest codec, by the beginning of its file's name.
SMALLEST = {
  'ms_hyper': ['MSHyper.filters = 4', 'MSHyper.latent_channels = 6'],
  'ms_context': ['MSContext.filters = 4', 'MSContext.latent_channels = 6'],
  'charm': ['Charm.filters = 4', 'Charm.latent_channels = 6', 'Charm.slices = 2'],
  'cheng': ['Cheng.filters = 4', 'Cheng.latent_channels = 6', 'Cheng.hidden = 8'],
  'elic': ['ELIC.filters = 4', 'ELIC.latent_channels = 6', 'ELIC.groups = (2, 4)'],
}


def build_small(model, *bindings):
  """Builds a codec of a file in `gin/models/`, as small as can be, with equal weights each time."""
  sizes = next(sizes for family, sizes in SMALLEST.items() if model.startswith(family))
  files = [f'models/{model}.gin', 'quantizers/sua_ep_sua_ste.gin', 'stages/joint.gin']
  config.parse(files, ['LMBDA = 0.01', *sizes, *bindings], [])
  tf.keras.utils.set_random_seed(0)
  codec = config.build_parameter('train.codec')
  codec.create()
  return codec


def move(codec):
  """Moves all weights, so that no part of a codec is at rest."""
  for variable in codec.model.variables:
    variable.assign_add(0.05 * tf.random.stateless_normal(variable.shape, [1, 2]))
