"""Measures which quantization step MS-SSIM asks of a linear block transform.

    python tests/studies/first_step.py --train photographs --images heldout

The Karhunen-Loeve transform of training patches codes a patch of each image in steps of many sizes.
The rate is the entropy of each rounded coefficient, and the cost `R + lambda (1 - MS-SSIM)`. For
each of CompressAI's lambdas a row says with which squared error in the place of a distortion of 1
`quantization_step` gives the best step, and by how many percent the cost is above the best one with
others: `SQUARED_ERROR` of `gin/distortions/ms_ssim.gin`.
"""

import argparse

import numpy as np

from tfusq import MSSSIM, Patches
from tfusq.training import initialization
from tfusq.transforms import block_bases

LMBDAS = (2.40, 4.58, 8.73, 16.64, 31.73, 60.50, 115.37, 220.00)
SQUARED_ERRORS = (640, 1280, 1800, 2500, 3600, 5000)
SIDE = 192
CHANNELS = 192


def entropy(symbols):
  """Returns the sum of the coefficients' entropies in bits per pixel, `[blocks, channels]`."""
  bits = 0.0
  for channel in symbols.T:
    _, counts = np.unique(channel, return_counts=True)
    shares = counts / counts.sum()
    bits -= (shares * np.log2(shares)).sum()
  return bits / block_bases.SIDE**2


def coded(x, basis, step):
  """Returns rate and distortion of patches whose coefficients are rounded.

  Args:
    x: Patches, `[batch, side, side, 3]`.
    basis: Basis of their blocks.
    step: Quantization step.
  """
  vectors = basis.vectors.reshape(-1, CHANNELS)
  coefficients = [block_bases._blocks(image - basis.mean) @ vectors for image in x]
  symbols = np.round(np.concatenate(coefficients) / step)

  count = SIDE // block_bases.SIDE
  blocks = (symbols * step @ vectors.T).reshape(-1, count, count, *basis.vectors.shape[:3])
  images = blocks.swapaxes(2, 3).reshape(x.shape) + basis.mean
  return entropy(symbols), float(MSSSIM()(x, images.astype(np.float32)))


def main():
  """Prints a row for each lambda."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--train', required=True, help='folder of training photographs')
  parser.add_argument('--images', required=True, help='folder of other photographs')
  arguments = parser.parse_args()

  training = Patches(arguments.train, SIDE, 1, 0)
  basis = block_bases.karhunen_loeve(initialization.sample(training, 120), CHANNELS)
  others = Patches(arguments.images, SIDE, 1, 0)
  x = initialization.sample(others, len(others.files))

  weights = np.geomspace(2e-4, 0.6, 30)  # of the squared error
  points = [coded(x, basis, block_bases.quantization_step(weight)) for weight in weights]
  rates, distortions = np.transpose(points)
  print('lambda    best  bpp   ' + ''.join(f'{error:>8}' for error in SQUARED_ERRORS))
  for lmbda in LMBDAS:
    costs = rates + lmbda * distortions
    best = costs.argmin()
    row = f'{lmbda:6.2f} {lmbda / weights[best]:7.0f} {rates[best]:5.2f}   '
    for error in SQUARED_ERRORS:
      cost = np.interp(np.log(lmbda / error), np.log(weights), costs)
      row += f'{100 * (cost / costs[best] - 1):8.1f}'
    print(row)


if __name__ == '__main__':
  main()
