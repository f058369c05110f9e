"""`branches.csv`: from which bits each branch has gone on, a line for each.

A trunk that is trained again, by the same version of TensorFlow on such a processor, is the same
bit for bit. Where it is not, branches of one fork have begun with other networks, and their
differences are paired less well: the fingerprints tell.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tfusq.curves.curve import Curve
from tfusq.sweeps import csv_files
from tfusq.sweeps.runs_file import ResultKey

FILE = 'branches.csv'

# Lines of a branch's recipe, as `training.forks` and `config` write them.
_TRUNK = re.compile(r'^#: trunk of (\d+) steps, fingerprint ([0-9a-f]+)$', re.MULTILINE)
_TENSORFLOW = re.compile(r'^# tensorflow(?:-cpu)? (\S+)$', re.MULTILINE)


class Branch(NamedTuple):
  """What a branch has gone on from; all as it is written in the file.

  Attributes:
    cell: Name of the cell.
    lmbda: Weight of the distortion.
    seed: Seed of the trunk.
    fork: Number of the fork.
    steps: Number of steps that the trunk had done.
    fingerprint: Hash of the trunk's networks, averages and optimizer.
    tensorflow: Version that trained the branch.
  """

  cell: str
  lmbda: str
  seed: str
  fork: str
  steps: str
  fingerprint: str
  tensorflow: str


def branch_of(key: ResultKey, curve: Curve) -> Branch | None:
  """Returns what the result of a joint stage tells, or None if it is of no branch.

  Args:
    key: Identification of the result.
    curve: Curve of an evaluation, with the recipe.
  """
  codecs = curve.meta.get('codecs') or [{}]
  recipe = str(codecs[0].get('recipe', ''))
  trunk = _TRUNK.search(recipe)
  if not key.fork or key.stage != 'joint' or not trunk:
    return None
  version = _TENSORFLOW.search(recipe)
  return Branch(
    key.cell,
    key.lmbda,
    key.seed,
    key.fork,
    steps=trunk[1],
    fingerprint=trunk[2],
    tensorflow=version[1] if version else '',
  )


def read(folder: Path) -> list[Branch]:
  """Reads all branches in a folder of results.

  Raises:
    SweepError: if the file is none of these; names the line.
  """
  return [Branch(*fields) for fields in csv_files.read_rows(folder / FILE, Branch._fields)]


def add(folder: Path, found: Iterable[Branch]) -> None:
  """Writes branches beside those of the file, or in the place of their earlier lines.

  Args:
    folder: Folder of results.
    found: Branches whose results are there.
  """
  by_name = {branch[:4]: branch for branch in (*read(folder), *found)}
  if by_name:
    csv_files.write_rows(folder / FILE, Branch._fields, sorted(by_name.values()))


def differing_trunks(branches: Iterable[Branch]) -> list[str]:
  """Returns a line for each trunk of which branches have begun with different bits."""
  by_trunk: dict[tuple[str, str], dict[str, list[Branch]]] = {}
  for branch in branches:
    trunk = by_trunk.setdefault((branch.lmbda, branch.seed), {})
    trunk.setdefault(branch.fingerprint, []).append(branch)
  return [
    f'the trunk of lambda {lmbda}, seed {seed} was not always the same: {_counts(found)}'
    for (lmbda, seed), found in sorted(by_trunk.items())
    if len(found) > 1
  ]


def _counts(found: Mapping[str, list[Branch]]) -> str:
  parts = []
  for fingerprint, branches in sorted(found.items()):
    versions = ', '.join(sorted({branch.tensorflow for branch in branches}))
    parts.append(f'{len(branches)} branches of {fingerprint} (TensorFlow {versions})')
  return '; '.join(parts)
