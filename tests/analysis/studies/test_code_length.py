"""Coded length compared with the exported codec and with the ideal."""

import pytest
import tensorflow as tf

from tfusq import image_files
from tfusq.analysis.studies import code_length
from tfusq.export import bitstream, container
from tfusq.models import visitors
from tfusq.transforms import exact
from tfusq.transforms.pixels import from_uint8


@pytest.fixture(scope='module')
def image(photograph):
  return photograph[:200, :256]


def test_code_length_is_the_exported_codecs_and_near_the_ideal(trained, exported_codec, image):
  coding = bitstream.make_coding(trained.centred_model)
  lengths = code_length.lengths(coding, tf.constant(image))
  assert [length.latent for length in lengths] == ['z', 'y']
  sections = container.read_header(exported_codec.compress(image)).sections
  assert tuple(length.coded for length in lengths) == sections and min(sections) > 20
  x = from_uint8(image)[None]
  visitor = visitors.RoundingVisitor(
    trained.model, trained.model.latents(x), trained.centred_model.centre
  )
  with exact.arithmetic():
    trained.model.walk(visitor, 1, 200, 256)
  assert sum(length.ideal for length in lengths) == pytest.approx(
    sum(map(float, visitor.bits)) / 8, rel=1e-3
  )
  assert all(length.coded < 1.001 * length.ideal + 4 for length in lengths)


def test_a_variable_rate_is_coded_at_its_default_quality(variable, variable_codec, image, tmp_path):
  coding = bitstream.make_coding(variable.centred_model)
  lengths = code_length.lengths(coding, tf.constant(image))
  sections = container.read_header(variable_codec.compress(image)).sections
  assert tuple(length.coded for length in lengths) == sections
  gains = variable.target().gains
  visitor = variable.centred_model.rounding_visitor(from_uint8(image)[None], gains)
  with exact.arithmetic():
    visitor.model.walk(visitor, 1, 200, 256)
  for length, bits in zip(lengths, visitor.bits, strict=True):
    assert length.ideal == pytest.approx(float(bits[0]) / 8, rel=1e-3)

  (tmp_path / 'one.png').write_bytes(image_files.encode(image, 'PNG'))
  *_, forward = code_length.report(variable, str(tmp_path)).split('\n')
  rate, error = (float(forward.split()[place]) for place in (6, 11))
  assert abs(rate) < 1 and abs(error) < 1


def test_a_report_has_the_sums_over_images(trained, image, tmp_path):
  for name in ('one', 'two'):
    (tmp_path / f'{name}.png').write_bytes(image_files.encode(image, 'PNG'))
  report = code_length.report(trained, str(tmp_path))
  header, z, y, explanation, forward = report.split('\n')
  assert header.split()[:5] == ['latent', 'model', 'centred', 'bpp', 'coded']
  coding = bitstream.make_coding(trained.centred_model)
  lengths = code_length.lengths(coding, tf.constant(image))
  for line, length, centred in ((z, lengths[0], 'integers'), (y, lengths[1], 'zero')):
    columns = line.split()
    assert columns[0] == length.latent and columns[2] == centred
    assert float(columns[3]) == pytest.approx(8 * length.coded / image[..., 0].size, abs=1e-4)
    assert float(columns[4]) == 2 * length.coded
    assert float(columns[5]) == pytest.approx(2 * length.ideal, abs=0.1)
  assert 'minus 4 bytes' in explanation
  # In floats, a symbol at the border of two may be the other one.
  assert forward.startswith('batched forward relative to codec: rate ')
  assert abs(float(forward.split()[6])) < 1  # one symbol of these images is half a percent
