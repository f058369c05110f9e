import pytest
import tensorflow as tf

import tfusq
from making import make_codec
from tfusq.models import tracing


class Branching(tfusq.AUN):
  """A surrogate of somebody else, which branches in Python on a tensor."""

  def __call__(self, y, u):
    return y + u if tf.reduce_sum(y) > 1e9 else super().__call__(y, u)


def test_what_is_ours_is_not_converted():
  codec = make_codec()
  assert not tracing.needs_autograph([codec, *codec.submodules])
  assert not codec.needs_autograph
  codec = make_codec(rate=tfusq.Quantizer(Branching(), tfusq.PGE()))
  assert tracing.needs_autograph(codec.submodules) and codec.needs_autograph


def test_a_step_is_converted_by_autograph_only_where_some_part_is_not_ours():
  class Branching:
    @tracing.converted_if_needed
    def step(self, x):
      return x if tf.reduce_sum(x) > 0 else -x

  branching = Branching()
  branching.needs_autograph = True
  assert float(tf.function(branching.step)(tf.constant(-2.0))) == 2
  branching.needs_autograph = False
  with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
    tf.function(branching.step)(tf.constant(-2.0))
