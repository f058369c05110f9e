"""Uniform noise that is the same wherever a training step is computed, without waiting for it.

`tf.random.stateless_uniform` scrambles a seed in the host's memory, so that the host would wait
until a GPU has computed the seed. XLA scrambles only half of its bits, and takes other bits of the
integers that it draws for a float32. Here seeds are scrambled, and float32 made of integers, by
operations that run everywhere. The noise is that of `tf.random.stateless_uniform` without XLA.
"""

import tensorflow as tf

# The key of the Philox generator with which TensorFlow scrambles seeds, and its number there.
_SCRAMBLING_KEY = 0x3EC8F720 + (0x02461E29 << 32)
_PHILOX = 1

# Of a float32 in [1, 2): the bits below the point, and the exponent.
_FRACTION = 2**23 - 1
_ONE = 127 << 23


def uniform(
  shape: tf.Tensor, seed: tf.Tensor, low: float, high: float, dtype: tf.DType
) -> tf.Tensor:
  """Returns uniform noise.

  Args:
    shape: Shape of the result, `int32[rank]`.
    seed: Two integers, `int32` or `int64`; equal seeds give equal noise.
    low: Least value.
    high: Bound that is not reached.
    dtype: Floating-point type of the result.

  Returns:
    Tensor of that shape and type.
  """
  if dtype != tf.float32:
    return tf.random.stateless_uniform(shape, seed, low, high, dtype)
  key, counter = _scrambled(tf.bitcast(tf.cast(seed, tf.int64), tf.uint64))
  drawn = _integers(shape, key, counter)

  fraction = tf.bitwise.bitwise_and(drawn, tf.constant(_FRACTION, tf.uint32))
  bits = tf.bitwise.bitwise_or(fraction, tf.constant(_ONE, tf.uint32))
  return (tf.bitcast(bits, tf.float32) - 1) * (high - low) + low


def _scrambled(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the key, `uint64[1]`, and the counter, `uint64[2]`, of a seed, `uint64[2]`."""
  words = _integers([4], tf.constant([_SCRAMBLING_KEY], tf.uint64), seed)
  # GPUs compute more with int64 than with uint64.
  low_and_high = tf.reshape(tf.cast(words, tf.int64), [2, 2])
  pairs = low_and_high[:, 0] + tf.bitwise.left_shift(low_and_high[:, 1], tf.constant(32, tf.int64))
  key, counter = pairs[:1], tf.concat([tf.zeros([1], tf.int64), pairs[1:]], 0)
  return tf.bitcast(key, tf.uint64), tf.bitcast(counter, tf.uint64)


def _integers(shape: tf.Tensor, key: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
  return tf.raw_ops.StatelessRandomUniformFullIntV2(
    shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=tf.uint32
  )
