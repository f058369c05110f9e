"""Memory of the tests here and of the plugins' tests: freed after each file, and shared out."""

import os

import pytest

import memory

# Collections take a tenth of a second, so that they wait until it is worth it.
GROWN = 1.25 * memory.GIB


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
  """Returns the number of workers of `-n auto`, which is left to whom the variable sets."""
  if 'PYTEST_XDIST_AUTO_NUM_WORKERS' in os.environ:
    return None
  return memory.fitting_workers(memory.available_cores(), memory.available_memory())


@pytest.fixture(scope='session', autouse=True)
def imports_are_kept():
  """Leaves out of collections what was imported."""
  memory.keep_what_is_imported()


@pytest.fixture(scope='module', autouse=True)
def files_are_freed():
  """Frees what the file before has left; at its own end pytest still holds its last test."""
  memory.free()
  with memory.forgetting_gradients():
    yield


@pytest.fixture(autouse=True)
def tests_are_freed(files_are_freed):
  """Frees what the tests before have left, where that is much."""
  if memory.resident() > GROWN:
    memory.free()
  with memory.forgetting_gradients():
    yield
