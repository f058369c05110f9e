"""Refined files of a codec of variable rate."""

import pytest

from decoded import cost, psnr
from tfusq.export.container import ContainerError
from tfusq.export.effort import Effort


@pytest.fixture(scope='module')
def image(photograph):
  return photograph[100:180, 100:196]


def test_each_quality_is_refined_for_its_lambda(variable_refining_codec, image):
  codec = variable_refining_codec
  for quality, lmbda in ((1.0, 0.003), (2.0, 0.05)):
    plain = cost(codec, image, codec.compress(image, quality), lmbda)
    data = codec.refine(image, Effort(10), quality)
    assert cost(codec, image, data, lmbda) < plain
  default = codec.refine(image, Effort(10))
  assert default == codec.refine(image, Effort(10), 1.0)


def test_a_limit_holds_for_the_refined_file(variable_refining_codec, image):
  codec = variable_refining_codec
  limit = len(codec.compress(image, 1.5)) + 2
  data = codec.refine_to_bytes(image, limit, Effort(0))
  assert len(data) <= limit
  plain = codec.compress_to_bytes(image, limit)
  assert psnr(codec, image, data) > psnr(codec, image, plain)

  limit = psnr(codec, image, plain)
  data = codec.refine_to_psnr(image, limit, Effort(0))
  assert psnr(codec, image, data) >= limit - 1e-5
  assert len(data) < len(plain)


def test_a_limit_that_no_quality_keeps_is_refused(variable_refining_codec, image):
  codec = variable_refining_codec
  with pytest.raises(ContainerError, match='no quality fits into 50 bytes: the lowest takes'):
    codec.refine_to_bytes(image, 50, Effort(0))
  with pytest.raises(ContainerError, match='no quality reaches 99.00 dB: the highest has'):
    codec.refine_to_psnr(image, 99, Effort(0))
