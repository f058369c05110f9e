import pytest

from tfusq.analysis import quadrature


@pytest.fixture(scope='module', autouse=True)
def tables_are_dropped():
  """Drops the tables of surrogates, of which some dozens are a quarter GiB."""
  yield
  quadrature.conditional.cache_clear()
