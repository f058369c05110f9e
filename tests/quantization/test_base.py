import numpy as np
import pytest
import tensorflow as tf

from tfusq import AUN, SUA, Round, Surrogate

ALPHAS = [1e-3, 0.5, 1.0, 5.0, 12.0, 16.0, 50.0]


def test_capabilities_follow_from_what_is_defined():
  assert [s.has_secant() for s in (Round, AUN, SUA)] == [False, True, True]
  assert [s.differentiable for s in (Round, AUN, SUA)] == [False, True, True]


def test_a_surrogate_without_its_sample_is_not_built():
  class Empty(Surrogate):
    def secant(self, y):
      return AUN.secant(self, y)

  with pytest.raises(TypeError, match='abstract.*Empty.*__call__'):
    Empty()


def test_what_is_optional_may_be_left_out():
  class Shifted(Surrogate):
    def __call__(self, y, u):
      return y + u

  surrogate = Shifted()
  y = tf.constant([0.3])
  assert not surrogate.has_secant() and not surrogate.has_density()
  np.testing.assert_array_equal(surrogate.proxy(y), y)
  with pytest.raises(NotImplementedError, match='Shifted has no secant'):
    surrogate.secant(y)
  with pytest.raises(NotImplementedError, match='Shifted has no density'):
    surrogate.density(y, y)
