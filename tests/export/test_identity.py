import tensorflow as tf

from making import make_codec, make_variable_codec
from tfusq.export import bitstream


def identity_of(codec):
  return bitstream.make_coding(codec.centred_model).identity


def test_identity_is_of_what_decoding_needs(trained):
  same, other = make_codec(), make_codec()
  for codec in (same, other):
    for a, b in zip(codec.model.variables, trained.model.variables):
      a.assign(b)
  same.model.analysis.layers[0].bias.assign_add([1.0] * 8)
  other.model.synthesis.layers[0].bias.assign_add([1e-6] * 8)
  identity = identity_of(trained)
  assert identity_of(same) == identity
  assert identity_of(other) != identity


def test_identity_is_of_the_bound_that_decides_the_tables():
  assert identity_of(make_codec()) != identity_of(make_codec(bound=0.2))


def test_identity_is_of_what_a_quality_decodes_by_and_not_of_the_gain_before():
  codec = make_variable_codec()
  levels = codec.variable_rate
  identity = identity_of(codec)
  assert identity_of(make_variable_codec()) == identity
  levels.gain.values.assign_add(tf.ones([2, 12]))
  assert identity_of(codec) == identity
  for part in (levels.inverse_gain, levels.widening):
    before = part.values.numpy()
    part.values.assign(before + 1e-5)
    assert identity_of(codec) != identity
    part.values.assign(before)
  assert identity_of(codec) == identity

  # Another number of levels, and none.
  assert identity_of(make_variable_codec((0.02, 0.08, 0.32))) != identity
  assert identity_of(make_codec()) != identity
