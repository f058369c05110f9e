"""Memory of the tests here and of the plugins' tests: freed after each file, and shared out."""

import os

import pytest

import memory

# For the workers, which begin with this environment: each thread would keep what is freed in a heap
# of its own, some 200 MB in all.
os.environ.setdefault('MALLOC_ARENA_MAX', '1')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
  """Returns the number of workers of `-n auto`, which is left to whom the variable sets."""
  if 'PYTEST_XDIST_AUTO_NUM_WORKERS' in os.environ:
    return None
  return memory.fitting_workers(memory.available_cores(), memory.available_memory())


@pytest.fixture(scope='session', autouse=True)
def held():
  """The memory of this process; leaves out of collections what was imported."""
  memory.keep_what_is_imported()
  return memory.Held()


@pytest.fixture(scope='module', autouse=True)
def files_are_freed(held):
  """Frees what the file before has left; at its own end pytest still holds its last test."""
  held.free()
  with memory.forgetting_gradients():
    yield


@pytest.fixture(autouse=True)
def tests_are_freed(held, files_are_freed):
  """Frees what the tests before have left, where that is much."""
  held.free_where_grown(memory.GROWN)
  with memory.forgetting_gradients():
    yield
