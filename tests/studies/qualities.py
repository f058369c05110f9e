"""Measures what a codec of variable rate promises, and what it costs.

    python tests/studies/qualities.py sizes --codec codec --images kodak --limits 20000 40000 80000
    python tests/studies/qualities.py order --codec codec --images kodak --every 1
    python tests/studies/qualities.py cost --variable variable.json --fixed low.json middle.json

`sizes` compresses each image to each limit in bytes, and prints how much of the limit the files
take: the least, the mean and the greatest share, and how many images' range of qualities does not
reach the limit.

`order` compresses each image at every step, or every few, and counts the pairs of neighbouring
steps of which the higher takes fewer bytes or has a lower PSNR.

`cost` compares the costs `R + lambda D` of curve files from `tfusq evaluate`: those of codecs of
one quality, of any number of files, each with the quality of the same lambda of the other curve.
The images are paired; the interval is that of a bootstrap over them.
"""

import argparse

import numpy as np

from tfusq import image_files
from tfusq.curves.curve import read_curve
from tfusq.evaluation import metrics
from tfusq.export import client, container
from tfusq.progress import track

_REPEATS = 10000


def sizes(arguments):
  """Prints a row for each limit."""
  codec = client.ExportedCodec(arguments.codec)
  last = codec.qualities.last_step
  print(f'{"limit":>8}{"images":>8}{"least %":>9}{"mean %":>9}{"most %":>9}{"unreached":>11}')
  for limit in arguments.limits:
    shares = []
    unreached = 0
    for path in track(image_files.list_images(arguments.images), 'image'):
      try:
        data = codec.compress_to_bytes(image_files.read_image(path), limit)
      except container.ContainerError:
        unreached += 1
        continue
      if container.read_header(data).step == last:
        unreached += 1  # the highest quality takes less
        continue
      shares.append(100 * len(data) / limit)
    print(f'{limit:>8}{len(shares):>8}{_three(shares)}{unreached:>11}')


def order(arguments):
  """Prints what is out of order."""
  codec = client.ExportedCodec(arguments.codec)
  steps = range(0, codec.qualities.last_step + 1, arguments.every)
  smaller = worse = pairs = 0
  for path in track(image_files.list_images(arguments.images), 'image'):
    image = image_files.read_image(path)
    lengths, psnrs = [], []
    for step in steps:
      data, _, reconstruction = codec.evaluate(image, codec.qualities.quality(step))
      lengths.append(len(data))
      psnrs.append(metrics.psnr(image, reconstruction))
    pairs += len(lengths) - 1
    smaller += int(np.sum(np.diff(lengths) < 0))
    worse += int(np.sum(np.diff(psnrs) < 0))
  print(
    f'{pairs} pairs of steps: {smaller} have fewer bytes at the higher one, {worse} a lower PSNR'
  )


def cost(arguments):
  """Prints a row for each codec of one quality."""
  variable = costs(read_curve(arguments.variable))
  random = np.random.default_rng(0)
  print(f'{"lambda":>8}{"images":>8}{"fixed":>9}{"variable":>10}{"excess %":>10}  95 % interval')
  for path in arguments.fixed:
    for lmbda, by_image in sorted(costs(read_curve(path)).items()):
      nearest = min(variable, key=lambda other, wanted=lmbda: abs(np.log(other / wanted)))
      if abs(np.log(nearest / lmbda)) > 1e-3:
        raise SystemExit(
          f'{arguments.variable} has no quality of lambda {lmbda:g}; see --qualities'
        )
      if set(variable[nearest]) != set(by_image):
        raise SystemExit(f'{arguments.variable} and {path} are of other images')

      names = sorted(by_image)
      fixed = np.array([by_image[name] for name in names])
      other = np.array([variable[nearest][name] for name in names])
      picked = random.integers(0, len(names), (_REPEATS, len(names)))
      low, high = np.percentile(excess(other[picked], fixed[picked]), [2.5, 97.5])
      print(
        f'{lmbda:>8.4f}{len(names):>8}{fixed.mean():>9.4f}{other.mean():>10.4f}'
        f'{excess(other, fixed):>+10.2f}  {low:+.2f} to {high:+.2f}'
      )


def costs(curve):
  """Returns `R + lambda D` in bits per pixel of each image of a curve, by lambda and image."""
  by_lambda = {}
  for codec in curve.meta['codecs']:
    lmbda = codec['lmbda']
    rows = [row for row in curve.images if row['point'] == codec['point']]
    by_lambda[lmbda] = {
      row['image']: row['bpp'] + lmbda * 255**2 * 10 ** (-row['psnr-rgb'] / 10) for row in rows
    }
  return by_lambda


def excess(costs, reference):
  """Returns by how many percent mean costs, over the last axis, exceed those of a reference."""
  return 100 * (costs.mean(-1) / reference.mean(-1) - 1)


def _three(values):
  return ''.join(f'{f(values):>9.2f}' for f in (min, np.mean, max)) if values else f'{"-":>9}' * 3


def main():
  """Runs what the command line names."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  commands = parser.add_subparsers(required=True)

  command = commands.add_parser('sizes')
  command.add_argument('--codec', required=True)
  command.add_argument('--images', required=True)
  command.add_argument('--limits', type=int, nargs='+', required=True, help='bytes')
  command.set_defaults(run=sizes)

  command = commands.add_parser('order')
  command.add_argument('--codec', required=True)
  command.add_argument('--images', required=True)
  command.add_argument('--every', type=int, default=1, help='steps')
  command.set_defaults(run=order)

  command = commands.add_parser('cost')
  command.add_argument('--variable', required=True, help='curve file')
  command.add_argument('--fixed', nargs='+', required=True, help='curve files')
  command.set_defaults(run=cost)

  arguments = parser.parse_args()
  arguments.run(arguments)


if __name__ == '__main__':
  main()
