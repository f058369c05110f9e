"""Times range coding alone: `python tests/benchmarks/coding.py [--compressai INTERPRETER]`.

Each entropy model, zero-centre and not, codes one latent of 32x48x192 (an image of 768x512) that is
drawn from the model itself; the deep factorized one is as it is initialized, and its latent
logistic. Printed are millions of symbols a second, and the excess of the string over the float64
ideal. TensorFlow Compression's own class codes the same Gaussian latent, and so does CompressAI's
rANS, given an interpreter that has it.
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
import timing  # noqa: F401  It sets the levels of logging.

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
  """Returns a latent drawn from a model, and its parameters: mostly small scales, as in codecs."""
  log_scale = np.log(np.exp(rng.normal(-0.7, 1.2, SHAPE)).clip(0.11, 256))
  if isinstance(model, tfusq.Factorized):
    model.build(SHAPE[-1])
    return rng.logistic(0, 4, SHAPE), model.parameters(tf.zeros([*SHAPE[:-1], 0]))

  if isinstance(model, tfusq.GaussianMixture):
    mean, log_scale, raw = mixture_source(log_scale, rng)
  else:
    mean = rng.normal(0, 3, SHAPE)
    raw = np.concatenate([mean, log_scale], -1)

  noise = rng.laplace(size=SHAPE) if isinstance(model, tfusq.Laplacian) else rng.normal(size=SHAPE)
  return mean + np.exp(log_scale) * noise, model.parameters(tf.constant(raw, tf.float32))


def mixture_source(log_scale, rng):
  """Draws the parameters of mixtures of three components, and one component for each symbol.

  Args:
    log_scale: Logarithms of the scales around which those of the components lie.
    rng: Random number generator.

  Returns:
    Mean and logarithm of the scale of the drawn component, and the raw parameters of the mixture.
  """
  components = (*SHAPE, 3)
  logits = rng.normal(0, 1, components)
  spread = np.exp(log_scale)[..., None]
  means = rng.normal(0, 3, SHAPE)[..., None] + spread * rng.normal(0, 1, components)
  log_scales = log_scale[..., None] + rng.normal(0, 0.3, components)
  flat = [x.reshape(*SHAPE[:-1], -1) for x in (logits, means, log_scales)]

  # The index of the largest logit plus Gumbel noise has the distribution of the mixture's weights.
  drawn = np.argmax(logits + rng.gumbel(size=components), -1)[..., None]
  mean = np.take_along_axis(means, drawn, -1)[..., 0]
  log_scale = np.take_along_axis(log_scales, drawn, -1)[..., 0]
  return mean, log_scale, np.concatenate(flat, -1)


def median(call):
  """Returns the median seconds of a call."""
  times = []
  for _ in range(ROUNDS):
    start = time.perf_counter()
    call()
    times.append(time.perf_counter() - start)
  return np.median(times)


def report(name, bits, ideal, encode, decode):
  """Prints a row.

  Args:
    name: Name of the coder.
    bits: Length of the string in bits.
    ideal: Ideal length in bits.
    encode: Seconds of encoding.
    decode: Seconds of decoding.
  """
  millions = np.prod(SHAPE) / 1e6
  excess = 100 * (bits / ideal - 1)
  print(
    f'{name:<36}{ideal / millions / 1e6:>12.3f}{excess:>+10.3f}'
    f'{millions / encode:>10.1f}{millions / decode:>10.1f}'
  )


def ours(model, zero_centre, rng):
  """Times a model's coder and prints a row.

  Args:
    model: An entropy model.
    zero_centre: Whether symbols are relative to the centre.
    rng: Random number generator.

  Returns:
    Symbols, parameters, and the ideal length in bits.
  """
  y, parameters = source(model, rng)
  # The ideal is computed in float64; the network of the factorized density is float32.
  dtype = tf.float32 if isinstance(model, tfusq.Factorized) else tf.float64
  wide = tf.nest.map_structure(lambda x: tf.cast(x, dtype), parameters)
  offset = model.centre(wide) if zero_centre else tf.zeros([], tf.float64)
  symbols = tf.cast(tf.round(y - offset), tf.int32)
  y_hat = tf.cast(tf.cast(symbols, tf.float64) + offset, dtype)
  ideal = float(tf.reduce_sum(tf.cast(model.bits(y_hat, wide), tf.float64)))
  coder = model.coder(zero_centre)

  @tf.function
  def encode():
    handle = coder.encode(coder.encoder(), symbols, coder.index(parameters))
    return coder.finalize(handle)

  string = encode()

  @tf.function
  def decode():
    return coder.decode(coder.decoder(string), coder.index(parameters))[1]

  assert bool(tf.reduce_all(decode() == symbols))
  centring = 'zero-centre' if zero_centre else 'nonzero-centre'
  name = f'{type(model).__name__}, {centring}'
  report(name, 8 * len(string.numpy()), ideal, median(encode), median(decode))
  return symbols, parameters, ideal


def tensorflow_compressions(symbols, scale, ideal):
  """Times TensorFlow Compression's scale-indexed class at the settings of its own models."""
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
  """Times CompressAI's coder in a process of its own."""
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'latent.npz'
    np.savez(path, symbols=symbols.numpy(), scales=scale.numpy())
    result = subprocess.run(
      [interpreter, '-c', COMPRESSAI, str(path)], check=True, capture_output=True, text=True
    )
  length, encode, decode = map(float, result.stdout.split())
  report('  CompressAI rANS', 8 * length, ideal, encode, decode)


def main():
  """Prints the table."""
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
