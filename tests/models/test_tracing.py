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
