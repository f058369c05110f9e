"""The photographs of a run: which they are, by content, and in which order they are drawn.

A run records them in `photographs-N.json` as of the start at step N. What identifies a photograph
is the SHA-256 of its file: another decoder, or another version of this package, may find other
pixels in the same file, but the run is still trained on the same photographs. Their names and
places may change, and their number and order in the record are those of the run.

Runs that earlier versions have begun have no such record, but in their recipes the number of the
photographs and a hash of their names and sizes.
"""

import collections
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import logging

from tfusq import files
from tfusq.training import recipes
from tfusq.training.patches import Patches
from tfusq.training.recipes import TrainingError
from tfusq.training.survey import Photograph

# Names in a message; a folder may hold thousands.
_NAMED = 8

# Suffixes of the files that earlier versions listed, hidden ones too.
_EARLIER_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')

_RECORD = re.compile(r'photographs-(\d+)\.json')


class Photographs(NamedTuple):
  """The photographs of a run, for training and for validation.

  Attributes:
    sets: Photographs in the order of the run, by `train` and `validation`.
    remark: Changes that were accepted at this start, or an empty text.
    earlier: Fingerprint of an earlier version, where the run still has that alone.
  """

  sets: dict[str, list[Photograph]]
  remark: str = ''
  earlier: str = ''

  def fingerprint(self) -> str:
    """Returns the number of training photographs and a hash of their contents, in order."""
    if self.earlier:
      return self.earlier
    photographs = self.sets['train']
    hashes = '\n'.join(photograph.sha256 for photograph in photographs)
    return f'{len(photographs)} {hashlib.sha256(hashes.encode()).hexdigest()[:16]}'

  def write(self, folder: str, step: int) -> None:
    """Records the photographs, if the run does not have exactly this record already.

    Args:
      folder: Folder of the run.
      step: Number of steps that are done.
    """
    if self.earlier or newest_record(folder) == self.sets:
      return
    record: dict[str, Any] = {'remark': self.remark}
    for name, photographs in self.sets.items():
      record[name] = [photograph._asdict() for photograph in photographs]
    # A run may have gone back to an earlier checkpoint; the last record is to be the newest.
    number = max(step, recipes.last_number(folder, _RECORD))
    data = json.dumps(record, indent=1).encode()
    files.write(files.to_path(folder) / f'photographs-{number}.json', data)


def settle(
  model_dir: str, patches: Mapping[str, Patches], is_new: bool, accept_changed: bool
) -> Photographs:
  """Looks at the photographs of a run, and puts those to train on in the order of the run.

  Args:
    model_dir: Run directory.
    patches: Patches for `train` and, if there are some, for `validation`; their files are set.
    is_new: Whether the run begins.
    accept_changed: Whether a run goes on with other photographs than it was begun with.

  Returns:
    The photographs, to be recorded.

  Raises:
    TrainingError: if the photographs of the run have changed; names those that have.
    ImageError: if some can't be read; names all of them.
  """
  record = None if is_new else newest_record(model_dir)
  if not is_new and record is None:
    recipe_text = recipes.newest_recipe(model_dir).read_text()
    return _settle_earlier(patches, recipe_text, accept_changed)

  sets = {}
  remarks = []
  for name, of_set in patches.items():
    recorded = (record or {}).get(name)
    photographs = of_set.survey(recorded or [])
    if recorded is not None:
      photographs, change = _in_order(recorded, photographs)
      if change:
        remarks.append(f'{of_set.folder}: {change}')
    of_set.arrange([photograph.name for photograph in photographs])
    sets[name] = photographs

  _require_accepted('; '.join(remarks), accept_changed)
  return Photographs(sets, '; '.join(remarks))


def newest_record(model_dir: str | os.PathLike) -> dict[str, list[Photograph]] | None:
  """Returns the photographs that a run has recorded last, or None if there is no record.

  Args:
    model_dir: Run directory.

  Raises:
    TrainingError: if the record is damaged; names it.
  """
  number = recipes.last_number(model_dir, _RECORD)
  if number < 0:
    return None

  path = files.to_path(model_dir) / f'photographs-{number}.json'
  sets = {}
  try:
    for name, photographs in json.loads(path.read_bytes()).items():
      if name != 'remark':
        sets[name] = [Photograph(**photograph) for photograph in photographs]
  except (ValueError, TypeError, AttributeError) as error:
    raise TrainingError(f'{path} is damaged: {error}') from error
  return sets


def _settle_earlier(
  patches: Mapping[str, Patches], recipe_text: str, accept_changed: bool
) -> Photographs:
  """Looks at the photographs of a run that an earlier version has begun.

  It listed fewer formats, and hidden files. Where that makes no difference, the run gets a record.
  """
  match = re.search(r'^#: photographs (.*)', recipe_text, re.MULTILINE)
  recorded = match[1] if match else ''
  folder = patches['train'].folder
  earlier = _earlier_files(folder)
  is_equal = recorded in ('', _earlier_fingerprint(folder, earlier))

  if is_equal and recorded and earlier != patches['train'].files:
    patches['train'].arrange([path.relative_to(folder).as_posix() for path in earlier])
    for of_set in patches.values():
      of_set.survey([])
    return Photographs({}, earlier=recorded)

  sets = {name: of_set.survey([]) for name, of_set in patches.items()}
  photographs = Photographs(sets)
  # A newer run whose record is lost has a hash of contents in its recipe.
  if is_equal or recorded == photographs.fingerprint():
    return photographs

  change = f'{folder} has not the {recorded.split()[0]} names and sizes of files that are recorded'
  _require_accepted(change, accept_changed)
  return Photographs(sets, change)


def _require_accepted(change: str, accept_changed: bool) -> None:
  """Refuses a change that is not accepted, and tells of one that is."""
  if not change:
    return
  if not accept_changed:
    raise TrainingError(
      f'the photographs have changed since the run was begun: {change}; restore them, or go on '
      'with them as they are by --accept_changed_photographs'
    )
  logging.warning('going on with photographs that have changed: %s', change)


def _in_order(
  recorded: Sequence[Photograph], present: Sequence[Photograph]
) -> tuple[list[Photograph], str]:
  """Puts the photographs that are there in the order of a record.

  Args:
    recorded: Photographs of the record.
    present: Photographs that are there.

  Returns:
    The photographs in order, new ones last, and what has changed, or an empty text.
  """
  by_hash = collections.defaultdict(list)
  for photograph in reversed(present):
    by_hash[photograph.sha256].append(photograph)
  found = [by_hash[old.sha256].pop() if by_hash[old.sha256] else None for old in recorded]

  remaining = {}
  for photographs in by_hash.values():
    remaining.update({photograph.name: photograph for photograph in photographs})

  ordered = []
  removed = []
  changed = []
  for old, same in zip(recorded, found):
    if same is None and old.name in remaining:
      changed.append(old.name)
      same = remaining.pop(old.name)
    if same is None:
      removed.append(old.name)
    else:
      ordered.append(same)

  ordered += sorted(remaining.values())
  groups = {'changed': changed, 'removed': removed, 'added': sorted(remaining)}
  return ordered, ', '.join(_group(*group) for group in groups.items() if group[1])


def _group(word: str, names: list[str]) -> str:
  shown = ', '.join(names[:_NAMED])
  more = ', ...' if len(names) > _NAMED else ''
  return f'{len(names)} {word} ({shown}{more})'


def _earlier_files(folder: files.AnyPath) -> list[files.AnyPath]:
  """Lists the photographs of a folder as earlier versions did."""
  # It knew no stores.
  paths = [] if isinstance(folder, files.RemotePath) else sorted(folder.rglob('*'))
  return [path for path in paths if path.suffix.lower() in _EARLIER_SUFFIXES and path.is_file()]


def _earlier_fingerprint(folder: files.AnyPath, paths: list[files.AnyPath]) -> str:
  """Returns the number of photographs and a hash of their names and sizes."""
  listing = '\n'.join(f'{path.relative_to(folder)} {os.path.getsize(path)}' for path in paths)
  # A name that is not UTF-8 has surrogates for its bytes.
  digest = hashlib.sha256(listing.encode(errors='surrogateescape')).hexdigest()
  return f'{len(paths)} {digest[:16]}'
