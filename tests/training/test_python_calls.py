"""Processes that end while TensorFlow's threads call Python."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tfusq.training import python_calls

# What calls into Python at any moment: two iterators that are not used up.
LIVE = """
import time
import tensorflow as tf
from tfusq.training import python_calls

def function(number):
  time.sleep(0.01)
  return np.zeros([4], np.uint8)

import numpy as np
dataset = tf.data.Dataset.range(10**9).map(
  lambda number: python_calls.call(function, number), num_parallel_calls=2).prefetch(50)
iterators = [iter(dataset), iter(dataset)]
for iterator in iterators:
  next(iterator)
"""


def values(function):
  dataset = tf.data.Dataset.range(3).map(lambda number: python_calls.call(function, number))
  return [array.numpy().tolist() for array in dataset]


def test_a_dataset_has_what_the_function_returns():
  assert values(lambda number: np.full([2], number, np.uint8)) == [[0, 0], [1, 1], [2, 2]]


def test_an_exception_is_the_error_of_the_step_with_its_text():
  def fails(number):
    raise OSError("größer als 'a'")

  with pytest.raises(tf.errors.InvalidArgumentError, match='OSError: größer als'):
    values(fails)
  counters = python_calls._counters()
  assert int(python_calls._read(counters.calls)) == 0


@pytest.mark.parametrize('end', ['', 'raise SystemExit(0)'])
def test_a_process_with_live_iterators_ends(end):
  code = textwrap.dedent(LIVE) + end
  process = subprocess.run([sys.executable, '-c', code], timeout=100, capture_output=True)
  assert process.returncode == 0, process.stderr.decode()[-2000:]
