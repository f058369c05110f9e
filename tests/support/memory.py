"""Memory of the test processes: how many of them fit, and what a test file leaves behind."""

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator
from pathlib import Path

GIB = 2**30
# The most that a worker has reached, with the commands that its tests start, and some room.
PER_WORKER = 2.5 * GIB
# The process that hands out the tests, which imports TensorFlow as well.
CONTROLLER = 0.5 * GIB
# Growth of a process from which on its memory is freed, which takes a few tenths of a second.
GROWN = GIB // 8


def fitting_workers(cores: float, available: float) -> int:
  """Returns the number of test processes for a machine, at least 1.

  Args:
    cores: Number of cores that may be used; a part of one where a container is given so.
    available: Memory that may be used, in bytes.
  """
  in_memory = (available - CONTROLLER) // PER_WORKER
  return max(1, int(min(cores, in_memory)))


def available_cores(root: Path = Path('/')) -> float:
  """Returns the number of cores that this process may use.

  Args:
    root: Root of the file system from which limits are read.
  """
  cores = float(len(os.sched_getaffinity(0)))
  for folder in _cgroups(root, 'cpu'):
    quota = _quota(folder)
    if quota is not None:
      cores = min(cores, quota)
  return cores


def available_memory(root: Path = Path('/')) -> int:
  """Returns the memory in bytes that is free, on the machine and within the process's limits.

  Args:
    root: Root of the file system from which figures are read.
  """
  free = []
  for line in (root / 'proc/meminfo').read_text().splitlines():
    if line.startswith('MemAvailable:'):
      free.append(1024 * int(line.split()[1]))

  for folder in _cgroups(root, 'memory'):
    left = _left_of_limit(folder)
    if left is not None:
      free.append(left)
  return min(free)


def _cgroups(root: Path, controller: str) -> list[Path]:
  """Returns the folders of the process's cgroup and of those that it is in, of either version."""
  folders = []
  for line in (root / 'proc/self/cgroup').read_text().splitlines():
    _, controllers, path = line.split(':', 2)
    mount = root / 'sys/fs/cgroup'
    if controllers:
      if controller not in controllers.split(','):
        continue
      mount /= controller

    # A container sees its own cgroup at the mount, whatever the path says.
    folder = mount / path.lstrip('/')
    folders += [mount, folder, *(parent for parent in folder.parents if mount in parent.parents)]
  return folders


def _left_of_limit(folder: Path) -> int | None:
  """Returns the bytes below a cgroup's limit, without the files that the kernel can drop."""
  limit = _number(folder / 'memory.max', folder / 'memory.limit_in_bytes')
  used = _number(folder / 'memory.current', folder / 'memory.usage_in_bytes')
  if limit is None or used is None:
    return None

  reclaimable = 0
  for line in (folder / 'memory.stat').read_text().splitlines():
    name, _, value = line.partition(' ')
    if name == 'inactive_file':
      reclaimable = int(value)
  return limit - used + reclaimable


def _quota(folder: Path) -> float | None:
  """Returns the cores that a cgroup may use, None where it has no limit."""
  together = folder / 'cpu.max'
  if together.exists():
    quota, period = together.read_text().split()
    return None if quota == 'max' else int(quota) / int(period)

  quota = _number(folder / 'cpu.cfs_quota_us')
  period = _number(folder / 'cpu.cfs_period_us')
  if quota is None or period is None or quota < 0:
    return None
  return quota / period


def _number(*files: Path) -> int | None:
  """Returns the number in the first of the files that exists; None for 'max' or without one."""
  for file in files:
    if file.exists():
      text = file.read_text().strip()
      return None if text == 'max' else int(text)
  return None


def keep_what_is_imported() -> None:
  """Exempts the modules and classes there are from collections, which then take less time.

  Tracing makes so many objects that Python's own thresholds would spend a tenth of it on
  collections; what is then left is collected by `Held.free`.
  """
  gc.collect()
  gc.freeze()
  gc.set_threshold(50_000, 20, 20)


def resident() -> int:
  """Returns the memory in bytes that this process holds."""
  pages = int(Path('/proc/self/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE')


class Held:
  """The memory that this process holds, and held when it was last freed."""

  def __init__(self):
    self._after_freeing = resident()

  def free(self) -> None:
    """Drops the graphs that nobody holds, and returns freed memory to the system."""
    from tensorflow.python.eager import context

    gc.collect()
    # Of the functions that were called, TensorFlow keeps what it made to run them.
    context.context().clear_kernel_cache()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:  # glibc has it
      trim(0)
    self._after_freeing = resident()

  def free_where_grown(self, least: int) -> None:
    """Frees memory if the process has grown since that was done.

    Args:
      least: Bytes of growth from which on it is done.
    """
    if resident() > self._after_freeing + least:
      self.free()


@contextlib.contextmanager
def forgetting_gradients() -> Iterator[None]:
  """Drops the gradients that TensorFlow registers inside for traced calls of custom gradients.

  It never does so itself, and they hold the whole graph that they were traced in.
  """
  from tensorflow.python.framework import ops

  registered = ops.gradient_registry._registry
  before = set(registered)
  try:
    yield
  finally:
    for name in registered.keys() - before:
      if name.startswith('CustomGradient-'):
        del registered[name]
