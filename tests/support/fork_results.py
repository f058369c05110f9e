"""Makers of sweeps of forks and of their results."""

import numpy as np

from making import make_sweep
from sweep_results import write_result
from tfusq.curves.curve import Curve
from tfusq.sweeps.trunk import Trunk
from tfusq.training import forks

AUN = {'rate | distortion': 'AUN'}
SUA = {'rate | distortion': 'SUA'}
IMAGES = [f'image{number}.png' for number in range(8)]


def make_trunk(**changes):
  return Trunk(
    **{
      'name': 'trunk',
      'statements': ['model.gin', 'aun.gin'],
      'images': 'images/heldout',
      'steps': 100,
      'extension': 50,
      'most_steps': 200,
      **changes,
    }
  )


def make_forks(**changes):
  """Makes a sweep of two methods: branches of two forks of each of two trunks, at one lambda."""
  return make_sweep(
    **{
      'grids': [{'rate | distortion': {'AUN': 'aun.gin', 'SUA': 'sua.gin'}}],
      'lmbdas': (0.01,),
      'joint_axes': ('rate | distortion',),
      'cost_anchor': AUN,
      'trunk': make_trunk(),
      'forks': 2,
      **changes,
    }
  )


def recipe_of(fingerprint, tensorflow='2.14.1'):
  """Returns a branch's recipe, whose trunk is told as a training tells it."""
  return f'# tensorflow-cpu {tensorflow}\n{forks.Trunk(100, fingerprint).line()}\n'


def write_branch(folder, run, stage, costs, fingerprint='abc0'):
  """Writes the result of a branch whose images cost so much, all of it rate."""
  codec = {'point': 'x', 'label': 'y', 'lmbda': run.lmbda, 'recipe': recipe_of(fingerprint)}
  images = [
    {'image': name, 'point': 'x', 'bpp': float(cost), 'psnr-rgb': None}
    for name, cost in zip(IMAGES, costs, strict=True)
  ]
  meta = {'codecs': [codec], 'images': dict.fromkeys(IMAGES, 'ff')}
  write_result(folder, run, stage, Curve('c', '', meta, {'bpp': [float(np.mean(costs))]}, images))


def image_costs(run, random, difference=0.05):
  """Costs that vary between images and forks; those of SUA are lower by a difference."""
  costs = 1 + np.arange(len(IMAGES)) + 0.2 * run.seed + 0.1 * run.fork
  costs -= difference * (run.cell == SUA)
  return costs + 0.01 * random.standard_normal(len(IMAGES))
