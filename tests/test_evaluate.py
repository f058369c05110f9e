import json
import math

import numpy as np
import pytest
import tensorflow as tf

from tfusq import container, evaluate
from tfusq.data import encode_image


def test_psnr_is_that_of_eight_bit_pixels():
  a = np.full([20, 20, 3], 100, np.uint8)
  assert evaluate.psnr(a, a + np.uint8(5)) == pytest.approx(10 * math.log10(255**2 / 25), abs=1e-4)
  assert evaluate.psnr(a, a) == math.inf


def test_ms_ssim_is_tensorflows_and_undefined_for_small_images(photograph):
  noisy = np.clip(photograph + np.random.default_rng(0).normal(0, 9, photograph.shape), 0, 255)
  noisy = noisy.astype(np.uint8)
  expected = tf.image.ssim_multiscale(
      tf.constant(photograph, tf.float32), tf.constant(noisy, tf.float32), 255)
  assert evaluate.ms_ssim(photograph, noisy) == pytest.approx(float(expected), abs=1e-5)
  assert math.isnan(evaluate.ms_ssim(photograph[:160], noisy[:160]))


def test_folder_gives_rows_of_real_bytes(exported_codec, photograph, tmp_path):
  for name, height in (('b.png', 64), ('a.png', 200)):
    (tmp_path / name).write_bytes(encode_image(photograph[:height], 'png'))
  (tmp_path / 'broken.png').write_bytes(b'no image')
  rows, errors = evaluate.evaluate_folder(exported_codec, str(tmp_path))
  assert len(errors) == 1 and 'broken.png' in str(errors[0])
  assert [row.image for row in rows] == ['a.png', 'b.png']
  data = exported_codec.compress(photograph[:64])
  row = rows[1]
  assert row.bytes == len(data)
  assert row.bpp == pytest.approx(8 * len(data) / (64 * 451))
  assert row.header_bytes == container.read_header(data).bytes
  assert row.coded_bpp == pytest.approx(8 * (row.bytes - row.header_bytes) / (64 * 451))
  assert row.psnr == pytest.approx(
      evaluate.psnr(photograph[:64], exported_codec.decompress(data)))
  mean = evaluate.mean(rows)
  assert mean.bpp == pytest.approx((rows[0].bpp + rows[1].bpp) / 2)
  text = evaluate.table([*rows, mean])
  assert len(text.splitlines()) == 4 and f'{row.bpp:.4f}' in text
  report = json.loads(json.dumps(evaluate.report(rows, exported_codec), allow_nan=False))
  assert report['images'][1]['ms_ssim'] is None
  assert report['images'][0]['ms_ssim'] == pytest.approx(rows[0].ms_ssim)


def test_a_decoder_that_differs_is_an_error(exported_codec, photograph):
  class Wrong:
    def __getattr__(self, name):
      return getattr(exported_codec, name)

    def decompress(self, data):
      return exported_codec.decompress(data) ^ np.uint8(1)

  with pytest.raises(evaluate.Mismatch, match='cat'):
    evaluate.evaluate_image(Wrong(), photograph[:32, :32], 'cat')
