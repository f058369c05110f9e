import pytest
import tensorflow as tf

import tfusq
from making import make_codec
from tfusq.models import size


def conv(kernel, inputs, outputs, places):
  """Thousands of multiply-accumulates a pixel, where there is one place for so many pixels."""
  return kernel**2 * inputs * outputs / places / 1000


def figures(**options):
  return {row.name: row for row in size.summary(make_codec(4, 6, **options).centred_model)}


def test_a_hyperpriors_figures_are_those_of_its_layers():
  rows = figures()
  up_and_down = (
    conv(5, 3, 4, 4)
    + conv(5, 4, 4, 16)
    + conv(5, 4, 4, 64)
    + conv(5, 4, 6, 256)
    + conv(1, 4, 4, 4)
    + conv(1, 4, 4, 16)
    + conv(1, 4, 4, 64)
  )
  assert rows['analysis'][2:] == pytest.approx((up_and_down, 0))
  assert rows['synthesis'][2:] == pytest.approx((0, up_and_down))
  hyper = conv(3, 6, 4, 256) + conv(5, 4, 4, 1024) + conv(5, 4, 4, 4096)
  assert rows['hyper_analysis'][2:] == pytest.approx((hyper, 0))
  both = conv(5, 4, 6, 4096) + conv(5, 6, 9, 1024) + conv(3, 9, 12, 256)
  assert rows['hyper_synthesis'][2:] == pytest.approx((both, both))
  assert rows['hyper_analysis'].parameters == 9 * 6 * 4 + 4 + 2 * (25 * 16 + 4)
  codec = make_codec(4, 6)
  assert sum(row.parameters for row in rows.values()) == sum(
    int(tf.size(variable)) for variable in codec.model.trainable_variables
  ) + sum(
    int(tf.size(variable))
    for entropy_model in codec.model.entropy_models.values()
    for variable in entropy_model.trainable_variables
    if not any(variable is other for other in codec.model.trainable_variables)
  )


def test_a_masked_convolution_counts_what_it_sees():
  rows = figures(model=tfusq.MSContext, zero_centre=False)
  assert rows['context'][2:] == pytest.approx([12 / 25 * conv(5, 6, 12, 256)] * 2)
  widths = [24, 20, 16, 12]
  assert rows['parameters'].decoding == pytest.approx(
    sum(conv(1, a, b, 256) for a, b in zip(widths, widths[1:]))
  )


def test_counting_leaves_the_model_as_it_was():
  centred_model = make_codec(4, 6).centred_model
  first = size.summary(centred_model)
  assert size.summary(centred_model) == first


def test_a_table_ends_with_the_sums():
  centred_model = make_codec(4, 6).centred_model
  lines = size.table(centred_model).splitlines()
  assert lines[1].startswith('analysis')
  parameters = sum(row.parameters for row in size.summary(centred_model))
  assert lines[-1].split()[:2] == ['all', f'{parameters:,}']
