"""Forks: several branches that go on from one run, the trunk, with other settings and equal luck.

A branch begins with the trunk's newest checkpoint: its networks and, where both train the same
variables, its optimizer's state and its moving averages. Schedules, temperatures and the number of
steps are the branch's own and begin at step 0; only the optimizer goes on counting, so that the
corrections that it makes in its first steps are not made again.

Patches and noise are functions of a patch's number. Those of a branch are numbered on from the
trunk's last one, and those of fork `k` from `k` times 2^24 batches further on. So all branches of a
fork see equal patches and noise, other forks see others, and a branch of fork 0 with the settings
that its trunk ended with is the trunk trained on, bit for bit.
"""

import hashlib
import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from tfusq.training import checkpoints, transfer
from tfusq.training.averages import MovingAverages
from tfusq.training.checkpoints import VALUE
from tfusq.training.codec import Codec

# Batches from the first of a fork to the first of the next; no training has as many.
STRIDE = 2**24

# Parts of a checkpoint that a branch goes on with.
_GOING_ON = ('model/', 'variable_rate/', 'optimizer/', 'loss_scale/')
_AVERAGES = 'averages/'

# The learning rate of a step is kept as a variable, or may be one; it is the branch's own.
_LEARNING_RATE = re.compile(r'optimizer/_(current_)?learning_rate')

_LINE = re.compile(r'^#: trunk of (\d+) steps, fingerprint ([0-9a-f]+)$', re.MULTILINE)


class Trunk(NamedTuple):
  """The state that a branch has begun with.

  Attributes:
    step: Number of steps that the trunk had done.
    fingerprint: Hash of the trunk's networks, averages and optimizer, hexadecimal; the same
      wherever equal bits were computed.
  """

  step: int
  fingerprint: str

  def line(self) -> str:
    """Returns the line of a recipe that tells it, without the end of the line."""
    return f'#: trunk of {self.step} steps, fingerprint {self.fingerprint}'


def trunk_of(recipe_text: str) -> Trunk | None:
  """Returns the trunk that a recipe tells, or None if its run is no branch."""
  match = _LINE.search(recipe_text)
  return Trunk(int(match[1]), match[2]) if match else None


def first_batch(fork: int, trunk: Trunk | None) -> int:
  """Returns the number of the first batch of a run.

  Args:
    fork: Number of the fork, from 0 on.
    trunk: Trunk that the run has begun with, or None.
  """
  return fork * STRIDE + (trunk.step if trunk else 0)


def take_over(
  codec: Codec, source: str, average_decay: float | None
) -> tuple[Trunk, list[tf.Variable]]:
  """Puts a codec where a trunk is, and begins the codec's own count of steps there.

  If the codec trains other variables than the trunk, it takes over the networks as far as they fit,
  and its optimizer begins anew.

  Args:
    codec: Compiled codec of a new run.
    source: Run directory of the trunk.
    average_decay: Decay of the codec's moving averages; None if it has none.

  Returns:
    The trunk, and the variables that come from there.

  Raises:
    TransferError: if there is no checkpoint, it is damaged, or nothing fits.
  """
  step = transfer.newest(source)
  stored = _read(source, step)
  trunk = Trunk(step, _fingerprint(stored))

  variables = {}
  state = {**codec.centred_model.weights(), 'optimizer': codec.optimizer}
  if codec.loss_scale:
    state['loss_scale'] = codec.loss_scale
  for name, variable in checkpoints.variables_by_name(tf.train.Checkpoint(**state)).items():
    if not _LEARNING_RATE.match(name):
      variables[name] = variable

  difference = _difference(variables, stored)
  if difference:
    logging.warning('the optimizer begins anew: %s', difference)
    loaded, lines = transfer.transfer(codec, source)
    for line in lines:
      logging.warning('%s', line)
    return trunk, loaded

  for name, variable in variables.items():
    variable.assign(stored[name])
  if average_decay is not None:
    codec.averages = MovingAverages(codec.trainable_variables, average_decay)
  # A checkpoint holds the averages in the place of the weights; the weights are trained on.
  for number, variable in enumerate(codec.trainable_variables):
    weights = stored.get(f'{_AVERAGES}{number}')
    if weights is not None:
      variable.assign(weights)

  codec.begin_at(int(codec.optimizer.iterations.numpy()))
  return trunk, list(variables.values())


def _read(source: str, step: int) -> dict[str, np.ndarray]:
  """Returns all values of a checkpoint that a branch may go on with, by name."""
  stored = {}
  with transfer.restoring(source, step) as path:
    reader = checkpoints.reader(path)
    for name in sorted(reader.get_variable_to_shape_map()):
      plain = name.removesuffix(VALUE)
      is_kept = plain.startswith((*_GOING_ON, _AVERAGES)) and not _LEARNING_RATE.match(plain)
      if is_kept and name.endswith(VALUE):
        stored[plain] = reader.get_tensor(name)
  return stored


def _fingerprint(stored: dict[str, np.ndarray]) -> str:
  digest = hashlib.sha256()
  for name, value in sorted(stored.items()):
    digest.update(f'{name} {value.dtype} {value.shape}\n'.encode())
    digest.update(np.ascontiguousarray(value).tobytes())
  return digest.hexdigest()[:16]


def _difference(variables: dict[str, tf.Variable], stored: dict[str, np.ndarray]) -> str:
  """Returns in what a trunk's state differs from a codec's; empty if it is the same."""
  there = {name: value for name, value in stored.items() if not name.startswith(_AVERAGES)}
  for name in (*variables, *there):
    if name not in there:
      return f'the trunk has no {name}'
    if name not in variables:
      return f'the trunk has {name} too'
    if tuple(variables[name].shape) != there[name].shape:
      return f'the shape of {name} differs'
  return ''
