import importlib
import inspect
import pkgutil

import tfusq
from tfusq.errors import Error


def test_every_exception_of_the_package_is_an_error():
  """But for what a check raises to say that it does not apply."""
  strangers = set()
  for module in pkgutil.walk_packages(tfusq.__path__, 'tfusq.'):
    if module.name == 'tfusq.__main__':
      continue
    for name, value in vars(importlib.import_module(module.name)).items():
      if inspect.isclass(value) and value.__module__ == module.name:
        if issubclass(value, Exception) and not issubclass(value, Error):
          strangers.add(name)
  assert strangers <= {'NotApplicable'}
