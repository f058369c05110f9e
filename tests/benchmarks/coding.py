"""Coding alone: `python tests/benchmarks/coding.py [--compressai INTERPRETER]`.

For each entropy model, zero-centre and not, on one latent of 32x48x192 (an image of 768x512) drawn
from the model itself (the deep factorized one as it is initialized, on logistic latents): millions
of symbols a second, and how far the string is above the float64 ideal. Beside it TensorFlow
Compression's own class on the same Gaussian latent, and CompressAI's rANS on it, run by an
interpreter that has CompressAI.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

import tfusq
import timing  # noqa: F401  (sets log levels)

SHAPE = (1, 32, 48, 192)
ROUNDS = 7
COMPRESSAI = """
import sys, time
import numpy as np, torch
from compressai.entropy_models import GaussianConditional
from compressai.models.utils import update_registered_buffers
from compressai.models.google import get_scale_table
from compressai.ans import BufferedRansEncoder, RansDecoder
data = np.load(sys.argv[1])
model = GaussianConditional(None)
model.update_scale_table(get_scale_table(), force=True)
symbols, scales = (torch.from_numpy(data[name]) for name in ('symbols', 'scales'))
index = model.build_indexes(scales).flatten().tolist()
cdf, sizes, offsets = (x.tolist() for x in (
    model.quantized_cdf, model.cdf_length.reshape(-1), model.offset.reshape(-1)))
values = symbols.int().flatten().tolist()
times = [], []
for _ in range(5):
  start = time.perf_counter()
  encoder = BufferedRansEncoder()
  encoder.encode_with_indexes(values, index, cdf, sizes, offsets)
  string = encoder.flush()
  times[0].append(time.perf_counter() - start)
  start = time.perf_counter()
  decoded = RansDecoder().decode_with_indexes(string, index, cdf, sizes, offsets)
  times[1].append(time.perf_counter() - start)
assert decoded == values
print(len(string), *(sorted(t)[2] for t in times))
"""


def source(model, rng):
  """Latents drawn from a model, and their parameters: mostly small scales, as in codecs."""
  log_scale = np.log(np.exp(rng.normal(-0.7, 1.2, SHAPE)).clip(0.11, 256))
  if isinstance(model, tfusq.Factorized):
    model.build(SHAPE[-1])
    return rng.logistic(0, 4, SHAPE), model.parameters(tf.zeros([*SHAPE[:-1], 0]))
  if isinstance(model, tfusq.GaussianMixture):
    components = (*SHAPE, 3)
    logits, spread = rng.normal(0, 1, components), np.exp(log_scale)[..., None]
    means = rng.normal(0, 3, SHAPE)[..., None] + spread * rng.normal(0, 1, components)
    log_scales = log_scale[..., None] + rng.normal(0, 0.3, components)
    raw = np.concatenate([x.reshape(*SHAPE[:-1], -1) for x in (logits, means, log_scales)], -1)
    chosen = np.argmax(logits + rng.gumbel(size=components), -1)[..., None]
    mean, log_scale = (np.take_along_axis(x, chosen, -1)[..., 0] for x in (means, log_scales))
  else:
    mean = rng.normal(0, 3, SHAPE)
    raw = np.concatenate([mean, log_scale], -1)
  noise = rng.laplace(size=SHAPE) if isinstance(model, tfusq.Laplacian) else rng.normal(size=SHAPE)
  return mean + np.exp(log_scale) * noise, model.parameters(tf.constant(raw, tf.float32))


def median(call):
  times = []
  for _ in range(ROUNDS):
    start = time.perf_counter()
    call()
    times.append(time.perf_counter() - start)
  return np.median(times)


def report(name, bits, ideal, encode, decode):
  count = np.prod(SHAPE) / 1e6
  print(
    f'{name:<36}{ideal / count / 1e6:>12.3f}{100 * (bits / ideal - 1):>+10.3f}'
    f'{count / encode:>10.1f}{count / decode:>10.1f}'
  )


def ours(model, zero_centre, rng):
  y, parameters = source(model, rng)
  wide = tf.nest.map_structure(
    lambda x: x if isinstance(model, tfusq.Factorized) else tf.cast(x, tf.float64), parameters
  )
  offset = model.centre(wide) if zero_centre else tf.zeros([], tf.float64)
  symbols = tf.cast(tf.round(y - offset), tf.int32)
  dtype = tf.float32 if isinstance(model, tfusq.Factorized) else tf.float64
  y_hat = tf.cast(tf.cast(symbols, tf.float64) + offset, dtype)
  ideal = float(tf.reduce_sum(tf.cast(model.bits(y_hat, wide), tf.float64)))
  coder = model.coder(zero_centre)
  encode = tf.function(
    lambda: coder.finalize(coder.encode(coder.encoder(), symbols, coder.index(parameters)))
  )
  string = encode()
  decode = tf.function(lambda: coder.decode(coder.decoder(string), coder.index(parameters))[1])
  assert bool(tf.reduce_all(decode() == symbols))
  centring = 'zero-centre' if zero_centre else 'nonzero-centre'
  report(
    f'{type(model).__name__}, {centring}',
    8 * len(string.numpy()),
    ideal,
    median(encode),
    median(decode),
  )
  return symbols, parameters, ideal


def tensorflow_compressions(symbols, scale, ideal):
  """Its scale-indexed class at the settings of its own models."""
  levels = tf.exp(tf.linspace(tf.math.log(0.11), tf.math.log(256.0), 64))
  model = tfc.LocationScaleIndexedEntropyModel(
    tfc.NoisyNormal,
    64,
    lambda i: tf.gather(levels, tf.cast(i, tf.int32)),
    coding_rank=3,
    compression=True,
  )
  index = tf.math.log(scale / 0.11) * (63 / tf.math.log(256 / 0.11))
  values = tf.cast(symbols, tf.float32)
  encode = tf.function(lambda: model.compress(values, index))
  strings = encode()
  decode = tf.function(lambda: model.decompress(strings, index))
  assert bool(tf.reduce_all(decode() == values))
  report(
    '  TFC LocationScaleIndexed', 8 * len(strings.numpy()[0]), ideal, median(encode), median(decode)
  )


def compressais(interpreter, symbols, scale, ideal):
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'latent.npz'
    np.savez(path, symbols=symbols.numpy(), scales=scale.numpy())
    result = subprocess.run(
      [interpreter, '-c', COMPRESSAI, str(path)], check=True, capture_output=True, text=True
    )
  length, encode, decode = map(float, result.stdout.split())
  report('  CompressAI rANS', 8 * length, ideal, encode, decode)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--compressai', help='Python interpreter that has it')
  arguments = parser.parse_args()
  rng = np.random.default_rng(0)
  print(f'{"":<36}{"bits/symbol":>12}{"over, %":>10}{"enc, M/s":>10}{"dec, M/s":>10}')
  for cls in (tfusq.Gaussian, tfusq.Laplacian, tfusq.GaussianMixture):
    for zero_centre in (True, False):
      symbols, parameters, ideal = ours(cls(bound=0.11, floor=0.0), zero_centre, rng)
      if cls is tfusq.Gaussian and zero_centre:
        tensorflow_compressions(symbols, parameters.scale, ideal)
        if arguments.compressai:
          compressais(arguments.compressai, symbols, parameters.scale, ideal)
  ours(tfusq.Factorized(floor=0.0), False, rng)


if __name__ == '__main__':
  main()
