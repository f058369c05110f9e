"""Every surrogate x estimator x {rate, distortion} x {zero-centre, nonzero-centre}."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

import tfusq
from matrix import classes_of, require_every_defined_case
from tfusq import catalogue, plugins
from tfusq.testing import instances


@pytest.fixture(scope='module')
def elsewhere():
  """Runs functions in another process: XLA holds what it compiled until its process ends."""
  spawn = multiprocessing.get_context('spawn')
  with ProcessPoolExecutor(1, spawn) as executor:
    yield lambda function, *arguments: executor.submit(function, *arguments).result()


@pytest.mark.parametrize('cls', classes_of(tfusq.Surrogate))
def test_every_defined_case(cls, elsewhere):
  elsewhere(require_every_defined_case, cls)


def test_undefined_pairs_name_a_remedy_that_is_defined():
  for surrogate in (instances(cls)[0] for cls in classes_of(tfusq.Surrogate)):
    for estimator in (cls() for cls in classes_of(tfusq.Estimator)):
      try:
        tfusq.Quantizer(surrogate, estimator)
      except tfusq.Undefined as undefined:
        remedies = [
          cls
          for cls in classes_of(tfusq.Estimator)
          if cls.__name__ in str(undefined).split('use ')[1]
        ]
        assert remedies
        for remedy in remedies:
          tfusq.Quantizer(surrogate, remedy())


def test_the_readme_has_the_table(monkeypatch):
  from readme import README

  built_in = {
    plugin: cls for plugin, cls in plugins.load_all()[0].items() if plugin.distribution == 'tfusq'
  }
  monkeypatch.setattr(plugins, 'load_all', lambda *_: (built_in, {}))
  assert catalogue.pairs() in README, 'paste what `tfusq plugins --pairs` prints'
