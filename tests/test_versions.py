import importlib.metadata

import pytest

from tfusq import versions


def test_what_is_installed_is_recorded_and_nothing_else(monkeypatch):
  there = {'tensorflow': '2.17.1', 'tf_keras': '2.17.0', 'gin-config': '0.5.0'}

  def version(name):
    if name not in there:
      raise importlib.metadata.PackageNotFoundError(name)
    return there[name]

  monkeypatch.setattr(importlib.metadata, 'version', version)
  assert versions.installed('gin-config', 'numpy') == there


@pytest.mark.parametrize('name', ['tfusq', 'numpy'])
def test_versions_are_those_of_the_metadata(name):
  assert versions.installed('numpy')[name] == importlib.metadata.version(name)
