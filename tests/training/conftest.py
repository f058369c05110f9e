import pytest

from making import make_patches


@pytest.fixture(scope='module')
def batch():
  """Two training patches."""
  return next(iter(make_patches().dataset()))
