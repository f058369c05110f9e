"""The arguments of `tfusq analyze`; imports nothing heavy."""

import argparse
import importlib

STUDIES = {
  'information': 'mutual information of a Gaussian latent and its surrogate (Fig. 1)',
  'distortion': 'distortion that a trained synthesis sees, beside rounding (Fig. 2 and 3)',
  'rate': 'estimated less true rate, of scalars and pairs (Fig. 4 and 5)',
  'laplacian': 'rate and distortion of a scalar Laplacian source (Fig. 7)',
  'network': "greatest bias of STE's gradient against the networks' size, on MNIST (Fig. 6)",
  'gradient': "bias and variance of the rate's gradient (Sec. 4.4, as in Table II)",
}
# The files of those analyses that write others than their own name.
OUTPUTS = {
  'distortion': ('distortion', 'distortion_temperature', 'distortion_of_pairs'),
  'rate': ('rate', 'rate_of_pairs'),
  'gradient': ('gradient', 'gradient_latent', 'gradient_temperature'),
  'scales': ('scales', 'scales_histogram'),
}
_SURROGATES = 'plugin, at its typical temperatures, or at others, such as "SUA(alpha=10)"'


def add(analyses: argparse._SubParsersAction) -> None:
  """Adds a sub-command for each analysis; its `run` imports what it needs."""
  sub = analyses.add_parser(
    'table2', help=("bias and variance of gradient estimators of the rate, beside the paper's")
  )
  sub.set_defaults(run=_command('table2'))
  sub.add_argument('--samples', type=int, default=8000, help='noise samples at each point')

  sub = analyses.add_parser(
    'code_length',
    help=("bytes of a run's strings over the images of a folder, beside the float64 ideal"),
  )
  sub.set_defaults(run=_command('code_length'))
  sub.add_argument('--model_dir', required=True, help='run directory')
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  sub.add_argument('folder', help='searched for PNG, JPEG and WebP files')

  sub = analyses.add_parser(
    'scales',
    help=(
      'the scales that trained codecs estimate over images, and the share at the bound (Fig. 8)'
    ),
  )
  sub.set_defaults(run=_command('scales'))
  sub.add_argument(
    '--model_dir',
    action='append',
    required=True,
    help=('run directory; repeatable, and codecs are numbered in this order'),
  )
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  sub.add_argument('folder', help='searched for PNG, JPEG and WebP files')
  _takes_output(sub, 'all images, not the first six')

  sub = analyses.add_parser(
    'run',
    help=('mismatch and gradient noise of a training run at its checkpoints, and what to change'),
  )
  sub.set_defaults(run=_command('run'))
  sub.add_argument('model_dir', help='run directory')
  sub.add_argument('folder', help='searched for PNG, JPEG and WebP files')
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  _takes_output(sub, '24 images and 16 draws of the noise, not six of each')

  sub = analyses.add_parser('card', help='one page on surrogates, before those of the paper')
  sub.set_defaults(run=_command('card'))
  sub.add_argument('names', nargs='+', metavar='surrogate', help=_SURROGATES)
  sub.add_argument('--seed', type=_seed, default=0, help='of all that is random')
  sub.add_argument('--out', default='card.html', help='HTML to write')
  sub.add_argument('--full', action='store_true', help='finer, and tens of minutes instead of two')
  sub.add_argument('--force', action='store_true', help='replace an existing output')

  sub = analyses.add_parser(
    'statements',
    help=(
      'what the paper says in Sec. 4.2 to 4.4, and whether it holds by the figures of a folder'
    ),
  )
  sub.set_defaults(run=_command('statements'))
  sub.add_argument('folder', help='where the studies wrote their CSV files')

  for name, description in STUDIES.items():
    sub = analyses.add_parser(name, help=description)
    sub.set_defaults(run=_command('study'))
    sub.add_argument(
      'names',
      nargs='*',
      metavar='surrogate',
      help=f'{_SURROGATES}; by default all that are registered',
    )
    sub.add_argument('--seed', type=_seed, default=0, help='of all that is random')
    _takes_output(sub)
    if name == 'network':
      sub.add_argument('--mnist', required=True, help='folder with train-images-idx3-ubyte.gz')


def _takes_output(sub, full='finer, and tens of minutes instead of one'):
  sub.add_argument('--out', default='analyses', help='folder for CSV and PNG')
  sub.add_argument('--full', action='store_true', help=full)
  sub.add_argument('--force', action='store_true', help='replace an existing output')


def _seed(text):
  if not text.isdecimal():
    raise argparse.ArgumentTypeError(f'a seed is an integer from 0 on, not {text}')
  return int(text)


def _command(name):
  return lambda arguments: getattr(importlib.import_module('tfusq.cli.analysis_commands'), name)(
    arguments
  )
