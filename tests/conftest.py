"""Fixtures of all tests: reference numbers, execution modes, one tiny trained codec, plugins."""

import contextlib
import fcntl
import functools
import json
import os
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Threads of NumPy's products wait for one another where as many workers as cores run tests: the
# eigenvectors that a start from data takes cost several times as much. Before NumPy is imported.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import numpy as np
import pytest
import tensorflow as tf

# A graph runs once or twice here, and TensorFlow's optimizers take longer than that. `.ci/run` has
# the long tests, and those of another version, run with them.
if 'TFUSQ_TESTS_OPTIMIZE' not in os.environ:
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})

import memory
from making import (
  IMAGES,
  eager,
  make_codec,
  make_patches,
  make_refiner,
  make_variable_coder,
)
from tfusq import cli as command_line
from tfusq import image_files, plugins
from tfusq.coding import range_coder
from tfusq.export import client, saved_model
from tfusq.training import train


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
  """Escapes what tests have printed or logged of names that are not UTF-8.

  A worker of pytest-xdist could not send it otherwise, and would end.
  """
  report = yield
  report.sections = [
    (name, text.encode(errors='backslashreplace').decode()) for name, text in report.sections
  ]
  return report


@pytest.fixture(scope='session')
def reference():
  """Numbers made by quadrature, independently of this library."""
  return json.loads((Path(__file__).parent / 'reference_values.json').read_text())


@pytest.fixture(params=['eager', 'graph'])
def mode(request):
  """Wraps a function of tensors for eager or graph execution."""
  return (
    (lambda f: f) if request.param == 'eager' else (lambda f: tf.function(f, reduce_retracing=True))
  )


@pytest.fixture
def optimized():
  """TensorFlow's optimizers of graphs, which tests go without."""
  options = tf.config.optimizer.get_experimental_options()
  before = options.get('disable_meta_optimizer', False)
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': False})
  yield
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': before})


@pytest.fixture
def eagerly():
  with eager():
    yield


@pytest.fixture
def gradients(mode):
  """Returns `f(*xs)` and its gradients with respect to each of `xs`."""

  @functools.cache  # each function is traced once
  def with_gradients(f):
    def forward_and_back(*xs):
      with tf.GradientTape() as tape:
        tape.watch(xs)
        value = f(*xs)
      return value, tape.gradient(value, xs)

    return mode(forward_and_back)

  return lambda f, *xs: with_gradients(f)(*xs)


@pytest.fixture(scope='session')
def of_all_workers(tmp_path_factory):
  """Gives a folder that all workers share, to one of them at a time."""
  root = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    root = root.parent  # a worker's own folder is in that of the session

  @contextlib.contextmanager
  def locked(name):
    with open(root / f'{name}.lock', 'w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      yield root / name

  return locked


@pytest.fixture(scope='session')
def trained(of_all_workers):
  """A tiny codec after some dozen steps, whose latents are not all zero."""
  codec = make_codec()
  steps = 60
  with of_all_workers('trained') as path:
    # Of a complete run, another worker's, it loads the networks.
    train.train(
      str(path),
      lambda: 'tiny',
      codec,
      tf.keras.optimizers.Adam(3e-3),
      make_patches(),
      steps=steps,
      interval=steps,
    )
  codec.anneal(tf.constant(steps - 1, tf.int64))
  return codec


@pytest.fixture(scope='session')
def exported_path(trained, of_all_workers):
  return _exported(trained, 'exported', of_all_workers)


@pytest.fixture(scope='session')
def refining_path(trained, of_all_workers):
  """The same codec with the function `refine`."""
  return _exported(trained, 'refining', of_all_workers, make_refiner(trained))


@pytest.fixture(scope='module')
def refining_codec(refining_path):
  """That codec loaded, for one file of tests as all loaded ones: they take 100 to 300 MB each."""
  return client.ExportedCodec(refining_path)


@pytest.fixture(scope='module')
def variable_refining_codec(variable, of_all_workers):
  """The codec of variable rate with the functions that refine."""
  path = _exported(variable, 'variable_refining', of_all_workers, make_refiner(variable))
  return client.ExportedCodec(path)


def _exported(codec, name, of_all_workers, refiner=None):
  """Returns a codec's folder, which one of the workers exports."""
  range_coder.operations()  # of what another worker has exported, too
  with of_all_workers(name) as folder:
    path = folder / 'codec'
    if not path.exists():
      folder.mkdir()
      saved_model.export(codec.centred_model, path, {'versions': {}}, refiner=refiner)
  return path


@pytest.fixture(scope='module')
def exported_codec(exported_path):
  return client.ExportedCodec(exported_path)


@pytest.fixture
def loaded_once(exported_codec, exported_path, monkeypatch):
  """Has commands take the session's exported codec as it is loaded, not load it once more each.

  That commands load a codec is what the tests of earlier runs and of the quickstart show.
  """
  _load_once(exported_codec, exported_path, monkeypatch)


@pytest.fixture
def variable_loaded_once(variable_codec, variable_path, monkeypatch):
  """Has commands take the session's codec of variable rate as it is loaded."""
  _load_once(variable_codec, variable_path, monkeypatch)


def _load_once(codec, path, monkeypatch):
  load = tf.saved_model.load

  def load_others(folder):
    return codec._codec if os.path.samefile(folder, path) else load(folder)

  monkeypatch.setattr(tf.saved_model, 'load', load_others)


@pytest.fixture(scope='session')
def variable():
  """A codec of variable rate, of two levels."""
  return make_variable_coder()


@pytest.fixture(scope='session')
def variable_path(variable, of_all_workers):
  return _exported(variable, 'variable', of_all_workers)


@pytest.fixture(scope='module')
def variable_codec(variable_path):
  return client.ExportedCodec(variable_path)


@pytest.fixture(scope='session')
def photograph():
  return image_files.read_image(IMAGES / 'heldout' / 'chelsea.webp')


@pytest.fixture
def cli(capsys, held):
  """Runs the command line here; returns exit code, output and errors."""

  def run(*words):
    held.free_where_grown(memory.GROWN)  # by a command before, which would have been a process
    code = command_line.main(command_line.parser().parse_args([str(word) for word in words]))
    out, err = capsys.readouterr()
    return code, out, err

  return run


@pytest.fixture
def latents():
  """Hard cases: integers, half-integers, in between, far out; float32."""
  special = [
    -2.0,
    -1.0,
    0.0,
    1.0,
    7.0,
    -1.5,
    -0.5,
    0.5,
    2.5,
    60.5,
    1e4,
    -1e4,
    0.3,
    -0.7,
    1e-6,
    0.4999999,
  ]
  return tf.constant(np.concatenate([special, np.linspace(-3, 3, 61)]), tf.float32)


@pytest.fixture
def distribution(tmp_path, monkeypatch):
  """Makes an installed distribution of a dist-info folder and a module on the path."""
  monkeypatch.syspath_prepend(str(tmp_path))

  def make(name, version, entry_points, module='', code=''):
    info = tmp_path / f'{name}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    (info / 'entry_points.txt').write_text(entry_points)
    if module:
      (tmp_path / f'{module}.py').write_text(code)
    plugins.refresh()

  yield make
  monkeypatch.undo()
  plugins.refresh()
