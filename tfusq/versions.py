"""Versions of the installed distributions that results depend on."""

import importlib.metadata

# Of TensorFlow, Keras and the range coder, different ones are installed on different Pythons.
_DISTRIBUTIONS = (
  'tfusq',
  'tensorflow',
  'tensorflow-cpu',
  'tf_keras',
  'tensorflow-compression',
  'tensorflow-compression-ops',
)


def installed(*others: str) -> dict[str, str]:
  """Returns the versions of those distributions that are installed, by name.

  Args:
    *others: Names of further distributions.
  """
  versions = {}
  for name in (*_DISTRIBUTIONS, *others):
    try:
      versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      continue
  return versions
