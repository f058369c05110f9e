"""What a client of an exported codec decodes, in figures."""

import numpy as np

from tfusq.evaluation import metrics


def cost(codec, image, data, lmbda):
  """`R + lambda D` in bits, of the bytes and of the decoded picture."""
  squares = np.square(image.astype(float) - codec.decompress(data))
  return 8 * len(data) + lmbda * squares.sum() / 3


def psnr(codec, image, data):
  """PSNR of the decoded picture in dB."""
  return metrics.psnr(image, codec.decompress(data))
