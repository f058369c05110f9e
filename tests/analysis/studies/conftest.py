"""Makers that the tests of the studies share."""

import pytest

from tfusq import image_files
from tfusq.analysis.studies.diagnosis import Diagnosis, State


@pytest.fixture(scope='session')
def make_state():
  """Makes a state that breaks no rule, but for the changes that are given."""

  def make(**changes):
    values = {
      'step': 10,
      'temperature': 5.0,
      'rate_temperature': 5.0,
      'rate': 1.0,
      'rate_mismatch': 0.0,
      'distortion_mismatch': 0.0,
      'rate_noise': 0.1,
      'distortion_noise': 0.5,
      'bound': 0.11,
      'at_bound': 0.5,
      'small': 0.0,
    }
    return State(**{**values, **changes})

  return make


@pytest.fixture(scope='session')
def make_diagnosis(make_state):
  """Makes the diagnosis of a run with one checkpoint, from changes of its state."""

  def make(ladder=(), estimator='PGE', **changes):
    return Diagnosis([make_state(**changes)], list(ladder), estimator)

  return make


@pytest.fixture(scope='session')
def refined_images(photograph, tmp_path_factory):
  """A folder with two small images."""
  folder = tmp_path_factory.mktemp('images')
  for name, left in (('left', 0), ('right', 200)):
    image = photograph[100:164, left : left + 80]
    (folder / f'{name}.png').write_bytes(image_files.encode(image, 'PNG'))
  return folder
