import importlib
import inspect
import pkgutil

import tfusq
from tfusq.errors import Error


def exceptions(module):
  """Returns the exception classes that a module defines."""
  return [
    value
    for value in vars(module).values()
    if inspect.isclass(value)
    and value.__module__ == module.__name__
    and issubclass(value, Exception)
  ]


def test_every_exception_of_the_package_is_an_error():
  found = []
  for module in pkgutil.walk_packages(tfusq.__path__, 'tfusq.'):
    if module.name != 'tfusq.__main__':
      found += exceptions(importlib.import_module(module.name))
  assert len(found) > 15
  assert [cls for cls in found if not issubclass(cls, Error)] == []
