"""Conformance checks for surrogates, estimators, entropy and codec models, ours and anybody's.

Each check is a plain function of one object that returns when the object keeps what it tests and
raises `NonConformance` with one sentence and a number when it does not. They test mathematics, not
form. Two front ends run one list: `tfusq check NAME`, and with pytest

    @tfusq.testing.conformance(MySurrogate(), MyEntropyModel())
    def test_conformance(check):
      check()

Statistical checks use fixed seeds and refuse at a z-score of 5.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import tensorflow as tf

from tfusq.entropy_models import EntropyModel
from tfusq.errors import Error
from tfusq.models import Model
from tfusq.quantization import temperature
from tfusq.quantization.estimators import Estimator
from tfusq.quantization.surrogates import Surrogate
from tfusq.quantization.temperature import describe, present_temperatures, typical_temperatures
from tfusq.testing.entropy_models import entropy_model_checks
from tfusq.testing.estimators import estimator_checks
from tfusq.testing.models import model_checks
from tfusq.testing.requirements import NonConformance, NotApplicable
from tfusq.testing.surrogates import surrogate_checks

__all__ = [
  'BoundCheck',
  'NonConformance',
  'NotApplicable',
  'Unchecked',
  'checks_of',
  'conformance',
  'describe',
  'entropy_model_checks',
  'estimator_checks',
  'instances',
  'model_checks',
  'present_temperatures',
  'surrogate_checks',
  'typical_temperatures',
]

CHECKS = {
  Surrogate: surrogate_checks,
  Estimator: estimator_checks,
  EntropyModel: entropy_model_checks,
  Model: model_checks,
}
_KINDS = ', '.join(f'{base.__name__}s' for base in CHECKS)


class Unchecked(Error, TypeError):
  """An object or a class of a kind for which there are no checks."""


class BoundCheck(NamedTuple):
  """A check and the object that it is of; calling it runs it."""

  check: Callable
  subject: tf.Module

  def __call__(self) -> str:
    """Runs it; returns why it does not apply, or nothing."""
    try:
      self.check(self.subject)
    except NotApplicable as reason:
      return str(reason)
    return ''

  @property
  def name(self) -> str:
    """Class and check, such as `SUA-is_finite`."""
    return f'{type(self.subject).__name__}-{self.check.__name__}'


def checks_of(subject: tf.Module) -> list[BoundCheck]:
  """Returns the checks for an object.

  Raises:
    Unchecked: if there are none for its kind.
  """
  for base, checks in CHECKS.items():
    if isinstance(subject, base):
      return [BoundCheck(check, subject) for check in checks]
  raise Unchecked(f'there are checks for {_KINDS}, not for {type(subject).__name__}')


def conformance(*subjects: tf.Module) -> Callable:
  """Returns a pytest decorator that runs a test once with each check as its argument `check`."""
  import pytest

  checks = [check for subject in subjects for check in checks_of(subject)]
  return pytest.mark.parametrize('check', checks, ids=[check.name for check in checks])


def instances(
  cls: type,
  bound: Collection[str] = (),
  build: Callable | None = None,
) -> list[tf.Module]:
  """Returns objects of a class to check: one, or one for each of its typical temperatures.

  Args:
    cls: Of a surrogate, an estimator, an entropy model or a codec model.
    bound: Names of the temperatures that `build` gives itself.
    build: Makes an object, given the other temperatures by name; by default the class.

  Raises:
    Unchecked: if there are no checks for its kind.
  """
  if not issubclass(cls, tuple(CHECKS)):
    raise Unchecked(f'there are checks for {_KINDS}, not for {cls.__name__}')
  return temperature.instances(cls, bound, build)
