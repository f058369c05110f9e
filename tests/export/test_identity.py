from making import make_codec
from tfusq.export import saved_model


def test_identity_is_of_what_decoding_needs(trained):
  same, other = make_codec(), make_codec()
  for codec in (same, other):
    for a, b in zip(codec.model.variables, trained.model.variables):
      a.assign(b)
  same.model.analysis.layers[0].bias.assign_add([1.0] * 8)
  other.model.synthesis.layers[0].bias.assign_add([1e-6] * 8)
  identity = saved_model.CodecModule(trained.centred_model).identity
  assert saved_model.CodecModule(same.centred_model).identity == identity
  assert saved_model.CodecModule(other.centred_model).identity != identity


def test_identity_is_of_the_bound_that_decides_the_tables():
  assert (
    saved_model.CodecModule(make_codec().centred_model).identity
    != saved_model.CodecModule(make_codec(bound=0.2).centred_model).identity
  )
