"""Conformance checks for the classes of tfusq and of its plugins.

There are checks for surrogates, estimators, schedules, entropy models, transforms, distortions and
codec models, and for exported codecs, as objects of `tfusq.export.client.ExportedCodec`. Each is a
plain function of one object. It returns when the object has the property that it tests, and raises
`NonConformance`, with one sentence and a number, when it has not. The checks test mathematics, not
form. Two front ends run the same lists: `tfusq check NAME`, and with pytest

    @tfusq.testing.conformance(MySurrogate(), MyEntropyModel())
    def test_conformance(check):
      check()

Statistical checks use fixed seeds and refuse at a z-score of 5.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from tfusq.entropy_models import EntropyModel
from tfusq.errors import Error
from tfusq.export.client import ExportedCodec
from tfusq.models import Model
from tfusq.quantization import temperature
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import Estimator
from tfusq.quantization.temperature import (
  Schedule,
  describe,
  present_temperatures,
  typical_temperatures,
)
from tfusq.testing.codecs import codec_checks
from tfusq.testing.distortions import distortion_checks
from tfusq.testing.entropy_models import entropy_model_checks
from tfusq.testing.estimators import estimator_checks
from tfusq.testing.models import model_checks
from tfusq.testing.requirements import NonConformance, NotApplicable
from tfusq.testing.schedules import schedule_checks
from tfusq.testing.surrogates import surrogate_checks
from tfusq.testing.transforms import transforms_checks
from tfusq.training.distortions import Distortion
from tfusq.transforms import Transforms

__all__ = [
  'BoundCheck',
  'NonConformance',
  'NotApplicable',
  'Unchecked',
  'checks_of',
  'codec_checks',
  'conformance',
  'describe',
  'distortion_checks',
  'entropy_model_checks',
  'estimator_checks',
  'instances',
  'model_checks',
  'present_temperatures',
  'schedule_checks',
  'surrogate_checks',
  'transforms_checks',
  'typical_temperatures',
]

# Base classes, each with the checks of its subclasses.
CHECKS: dict[type, list[Callable]] = {
  Surrogate: surrogate_checks,
  Estimator: estimator_checks,
  Schedule: schedule_checks,
  EntropyModel: entropy_model_checks,
  Transforms: transforms_checks,
  Distortion: distortion_checks,
  Model: model_checks,
  ExportedCodec: codec_checks,
}
_KINDS = (
  'surrogates, estimators, schedules, entropy models, transforms, distortions, codec models and '
  'exported codecs'
)


class Unchecked(Error, TypeError):
  """An object or a class for which there are no checks."""


class BoundCheck(NamedTuple):
  """A check with the object that it tests; calling it runs it.

  Attributes:
    check: Function of the object that raises `NonConformance` or `NotApplicable`.
    subject: The object.
  """

  check: Callable[[Any], None]
  subject: Any

  def __call__(self) -> str:
    """Runs the check.

    Returns:
      The reason why the check does not apply; empty if it passed.

    Raises:
      NonConformance: if the object fails it.
    """
    try:
      self.check(self.subject)
    except NotApplicable as reason:
      return str(reason)
    return ''

  @property
  def name(self) -> str:
    """Names of class and check, such as `SUA-is_finite`."""
    return f'{type(self.subject).__name__}-{self.check.__name__}'


def checks_of(subject: object) -> list[BoundCheck]:
  """Returns the checks for an object.

  Raises:
    Unchecked: if there are none for its class.
  """
  for base, checks in CHECKS.items():
    if isinstance(subject, base):
      return [BoundCheck(check, subject) for check in checks]
  raise Unchecked(f'there are checks for {_KINDS}, not for {type(subject).__name__}')


def conformance(*subjects: object) -> Callable:
  """Returns a pytest decorator that runs a test once with each check as its argument `check`.

  Raises:
    Unchecked: if there are no checks for an object.
  """
  import pytest  # Only its users need it installed.

  checks = []
  for subject in subjects:
    checks += checks_of(subject)
  names = [check.name for check in checks]
  return pytest.mark.parametrize('check', checks, ids=names)


def instances(
  cls: type,
  bound: Collection[str] = (),
  build: Callable[..., Any] | None = None,
) -> list[Any]:
  """Returns objects of a class to check: one, or one for each of its typical temperatures.

  Arguments that are not bound take the values of the class attribute `typical_arguments`, and
  temperatures those of `typical_temperatures`.

  Args:
    cls: Class of any kind that has checks.
    bound: Names of the arguments that `build` supplies itself.
    build: Function that returns an object, given the other arguments by name; by default the class
      itself.

  Returns:
    The objects.

  Raises:
    Unchecked: if there are no checks for the class.
    TypeError: if a required argument has no value; the message says what to bind.
  """
  if not issubclass(cls, tuple(CHECKS)):
    raise Unchecked(f'there are checks for {_KINDS}, not for {cls.__name__}')
  return temperature.instances(cls, bound, build)
