"""Refined files: what the function of an exported codec promises."""

import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from decoded import cost
from making import code_in_small_pieces, make_codec, make_refiner
from tfusq.coding import range_coder
from tfusq.export import bitstream, client, saved_model
from tfusq.export.effort import Effort
from tfusq.export.functions import Functions
from tfusq.refinement import regions
from tfusq.transforms import exact


@pytest.fixture(scope='module')
def image(photograph):
  return photograph[100:180, 100:196]


def cost_in_tensors(functions, image, data, lmbda):
  """The same, of the functions that are exported."""
  squares = np.square(image.numpy().astype(float) - functions.decompress(data).numpy())
  return 8 * len(data.numpy()) + lmbda * squares.sum() / 3


def numbers(iterations):
  """Returns an effort as tensors."""
  return [tf.constant(number, dtype) for number, dtype in Effort(iterations).numbers()]


def test_more_effort_costs_less(refining_codec, exported_codec, trained, image):
  assert refining_codec.compress(image) == exported_codec.compress(image)
  files = [exported_codec.compress(image)]
  for iterations in (0, 50):
    files.append(refining_codec.refine(image, Effort(iterations)))
  # A codec that was exported without refinement decodes them.
  costs = [cost(exported_codec, image, data, trained.lmbda) for data in files]
  assert costs[2] < 0.99 * costs[1] < 0.99 * costs[0]


def test_a_seed_and_a_number_of_iterations_decide_about_the_file(refining_codec, image):
  one, again, other = (refining_codec.refine(image, Effort(30, seed=seed)) for seed in (1, 1, 2))
  assert one == again
  assert one != other


def test_seconds_end_it(refining_codec, image):
  refining_codec.refine(image, Effort(seconds=0.01))
  start = time.perf_counter()
  refining_codec.refine(image, Effort(seconds=1.0))
  assert 1 < time.perf_counter() - start < 10


@pytest.mark.parametrize('height, width', [(1, 1), (17, 200)])
def test_any_size_is_refined(height, width, refining_codec, trained, photograph):
  image = photograph[:height, :width]
  plain = cost(refining_codec, image, refining_codec.compress(image), trained.lmbda)
  refined = refining_codec.refine(image, Effort(25))
  assert cost(refining_codec, image, refined, trained.lmbda) <= plain


def test_a_process_without_tfusq_refines(refining_path, refining_codec, trained, image, tmp_path):
  """And a decoder alone, of the same codec, decodes the file."""
  decoder = tmp_path / 'decoder'
  saved_model.export(trained.centred_model, decoder, {}, decoder_only=True)
  np.save(tmp_path / 'image.npy', image)
  code = f"""
import sys
sys.modules['tfusq'] = None  # not importable
import numpy as np, tensorflow as tf, {range_coder.operations().__name__}
codec = tf.saved_model.load({str(refining_path)!r})
image = np.load({str(tmp_path / 'image.npy')!r})
data = codec.refine(image, 10, np.inf, 3)
open({str(tmp_path / 'file')!r}, 'wb').write(data.numpy())
by_signature = codec.signatures['refine'](
  image=tf.constant(image),
  iterations=tf.constant(10, tf.int64),
  seconds=tf.constant(np.inf),
  seed=tf.constant(3, tf.int64),
)
assert by_signature['data_bytes'] == data
decoder = tf.saved_model.load({str(decoder)!r})
assert not hasattr(decoder, 'refine')
np.save({str(tmp_path / 'decoded.npy')!r}, decoder.decompress(data))
"""
  result = subprocess.run(
    [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True
  )
  assert result.returncode == 0, result.stderr
  data = (tmp_path / 'file').read_bytes()
  assert data == refining_codec.refine(image, Effort(10, seed=3))
  decoded = np.load(tmp_path / 'decoded.npy')
  np.testing.assert_array_equal(decoded, refining_codec.decompress(data))


def test_what_is_no_image_is_refused(refining_path, image):
  codec = tf.saved_model.load(str(refining_path))
  with pytest.raises(tf.errors.InvalidArgumentError, match='this has the type float32'):
    codec.refine(tf.cast(image, tf.float32), 10, np.inf, 0)


def test_a_codec_without_refinement_says_so(exported_codec, image):
  with pytest.raises(client.CodecError, match='does not refine: it was exported with --no_refine'):
    exported_codec.refine(image, Effort(10))


def functions_of(codec):
  """Returns the functions of a codec as they are exported, to be run eagerly."""
  coding = bitstream.make_coding(codec.centred_model)
  return Functions(coding, exact.Store(), refiner=make_refiner(codec))


def test_a_picture_that_is_too_small_for_the_distortion_is_coded_as_it_is(image, eagerly):
  functions = functions_of(make_codec(distortion_measure=tfusq.MSSSIM()))
  image = tf.constant(image)
  refined = functions.refine(image, *numbers(10))['data_bytes']
  assert refined == functions.compress(image)['data_bytes']


SERIAL = {
  'model': tfusq.MSContext,
  'zero_centre': False,
  'entropy_model': tfusq.GaussianMixture(),
}
SLICES = {'model': lambda *sizes: tfusq.Charm(*sizes, slices=3)}


@pytest.mark.parametrize(
  'options',
  [
    pytest.param(SERIAL, id='serial and a mixture', marks=pytest.mark.long),
    pytest.param(SLICES, id='slices'),
  ],
)
def test_every_kind_of_context_is_refined(options, photograph, eagerly):
  image = tf.constant(photograph[100:132, 100:148])
  codec = make_codec(8, 12, lmbda=0.002, **options)
  last = codec.model.analysis.layers[-1]
  last.kernel.assign(30 * last.kernel)
  functions = functions_of(codec)

  refined = functions.refine(image, *numbers(2))['data_bytes']
  plain = functions.compress(image)['data_bytes']
  assert cost_in_tensors(functions, image, refined, codec.lmbda) < cost_in_tensors(
    functions, image, plain, codec.lmbda
  )


def test_large_pictures_are_refined_region_by_region(trained, photograph, monkeypatch, eagerly):
  code_in_small_pieces(monkeypatch)
  monkeypatch.setattr(regions, 'SIDE', 64)
  monkeypatch.setattr(regions, 'SURROUNDINGS', 64)
  functions = functions_of(trained)
  image = tf.constant(photograph[100:170, 100:230])

  refined = functions.refine(image, *numbers(0))['data_bytes']
  plain = functions.compress(image)['data_bytes']
  assert cost_in_tensors(functions, image, refined, trained.lmbda) < cost_in_tensors(
    functions, image, plain, trained.lmbda
  )


def test_a_codec_of_one_quality_has_no_other(refining_codec, image):
  for refine in (refining_codec.refine_to_bytes, refining_codec.refine_to_psnr):
    with pytest.raises(client.CodecError, match='has a fixed rate'):
      refine(image, 900, Effort(0))
