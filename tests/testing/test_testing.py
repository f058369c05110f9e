"""All built-ins conform, and the kit says what it can't check."""

import pytest

import tfusq
from tfusq import plugins, testing


def built_ins():
  """Returns the objects of every built-in class but the models, which need arguments."""
  classes, _ = plugins.load_all()
  objects = []
  for plugin, cls in classes.items():
    if plugin.distribution == 'tfusq' and not issubclass(cls, tfusq.Model):
      objects += testing.instances(cls)
  return objects


@testing.conformance(*built_ins())
def test_built_ins_conform(check):
  check()


def test_every_kind_of_plugin_has_checks():
  classes, _ = plugins.load_all()
  assert all(issubclass(cls, tuple(testing.CHECKS)) for cls in classes.values())


def test_what_does_not_apply_says_why():
  class Silent(tfusq.Gaussian):
    def coder(self, zero_centre):
      return tfusq.EntropyModel.coder(self, zero_centre)

  reasons = {check.check.__name__: check() for check in testing.checks_of(Silent())}
  assert reasons.pop('codes_exactly_and_near_its_estimate') == 'it has no bitstream'
  assert not any(reasons.values())
  reasons = [check() for check in testing.checks_of(tfusq.Round())]
  assert sorted(filter(None, reasons)) == ['it has no secant'] + 2 * [
    'it is not said to be differentiable'
  ]


def test_what_is_of_no_kind_is_refused():
  quantizer = tfusq.Quantizer(tfusq.AUN(), tfusq.PGE())
  with pytest.raises(TypeError, match='surrogates, .*not for Quantizer'):
    testing.checks_of(quantizer)
  with pytest.raises(testing.Unchecked, match='surrogates, .*not for Quantizer'):
    testing.instances(tfusq.Quantizer)
