"""What `support/memory.py` says of machines, and what it frees."""

import weakref

import numpy as np
import pytest
import tensorflow as tf

import memory
import tfusq
from memory import GIB


@pytest.mark.parametrize(
  'cores, gibibytes, workers',
  [
    (16, 8, 3),  # a laptop: memory decides
    (2, 23, 2),  # a small server: cores do
    (16, 64, 16),
    (64, 128, 51),
    (4, 1, 1),  # one there must be
    (0.5, 64, 1),
    (1.5, 64, 1),
  ],
)
def test_workers_are_as_many_as_cores_and_memory_admit(cores, gibibytes, workers):
  assert memory.fitting_workers(cores, gibibytes * GIB) == workers


@pytest.fixture
def root(tmp_path):
  """Makes the root of a file system from the content of its files."""

  def make(files):
    for name, content in files.items():
      path = tmp_path / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(content)
    return tmp_path

  return make


MACHINE = {'proc/meminfo': 'MemTotal:  16777216 kB\nMemFree: 1024 kB\nMemAvailable:  8388608 kB\n'}
STAT = 'anon 5\ninactive_file 1073741824\nactive_file 7\n'


def test_without_limits_the_machines_free_memory_counts(root):
  path = root({**MACHINE, 'proc/self/cgroup': '0::/user.slice\n'})
  assert memory.available_memory(path) == 8 * GIB


@pytest.mark.parametrize('folder', ['user.slice', 'user.slice/session.scope', ''])
def test_the_limit_of_a_cgroup_or_of_one_around_it_counts(root, folder):
  path = root(
    {
      **MACHINE,
      'proc/self/cgroup': '0::/user.slice/session.scope\n',
      'sys/fs/cgroup/user.slice/memory.max': 'max\n',
      f'sys/fs/cgroup/{folder}/memory.max': f'{4 * GIB}\n',
      f'sys/fs/cgroup/{folder}/memory.current': f'{2 * GIB}\n',
      f'sys/fs/cgroup/{folder}/memory.stat': STAT,
    }
  )
  assert memory.available_memory(path) == 3 * GIB  # 2 free, and 1 of files that can be dropped


def test_a_container_of_the_first_version_is_limited_at_its_mount(root):
  path = root(
    {
      **MACHINE,
      'proc/self/cgroup': '9:cpuset:/a\n4:memory:/docker/123\n0::/\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': f'{6 * GIB}\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': f'{1 * GIB}\n',
      'sys/fs/cgroup/memory/memory.stat': 'inactive_file 0\n',
    }
  )
  assert memory.available_memory(path) == 5 * GIB


@pytest.mark.parametrize(
  'files, cores',
  [
    ({'cpu.max': '150000 100000\n'}, 1.5),
    ({'cpu/cpu.cfs_quota_us': '50000\n', 'cpu/cpu.cfs_period_us': '100000\n'}, 0.5),
    ({'cpu.max': 'max 100000\n'}, 64),
    ({'cpu/cpu.cfs_quota_us': '-1\n', 'cpu/cpu.cfs_period_us': '100000\n'}, 64),
    ({}, 64),
  ],
)
def test_a_share_of_the_processors_counts(root, monkeypatch, files, cores):
  monkeypatch.setattr('os.sched_getaffinity', lambda process: range(64))
  found = {f'sys/fs/cgroup/{name}': content for name, content in files.items()}
  path = root({'proc/self/cgroup': '3:cpu,cpuacct:/\n0::/\n', **found})
  assert memory.available_cores(path) == cores


def test_this_machine_has_some_of_each():
  assert memory.available_cores() > 0 and memory.available_memory() > 0


def test_graphs_with_our_gradients_are_freed():
  """Without it TensorFlow keeps each graph in which a custom gradient was traced."""

  def trace():
    model = tfusq.Gaussian()
    parameters = model.parameters(tf.zeros([1, 2]))
    traced = tf.function(lambda y: model.bits(y, parameters))
    return weakref.ref(traced.get_concrete_function(tf.zeros([1, 1])).graph)

  kept = trace()
  with memory.forgetting_gradients():
    forgotten = trace()
  memory.Held().free()
  assert kept() is not None  # otherwise this shows nothing
  assert forgotten() is None


def test_the_resident_memory_is_that_of_this_process():
  before = memory.resident()
  block = np.ones(2**27, np.uint8)
  assert 100 * 2**20 < memory.resident() - before < 200 * 2**20
  del block


def test_memory_is_freed_where_it_has_grown():
  class Cycle:
    pass

  def make(size):
    cycle = Cycle()
    cycle.itself, cycle.block = cycle, np.ones(size, np.uint8)
    return weakref.ref(cycle)

  held = memory.Held()
  small = make(2**10)
  held.free_where_grown(2**26)
  assert small() is not None
  large = make(2**27)
  held.free_where_grown(2**26)
  assert small() is None and large() is None

  # The block is given back, and so less than before is held.
  small = make(2**10)
  held.free_where_grown(2**26)
  assert small() is not None
