"""Rounding of a latent to symbols, as the codec applies it."""

import tensorflow as tf

# Symbols stay below 2^23: float32 holds them and their distance to the latent exactly enough, and
# the range coder's operations never see values on which they would hang.
MAX_SYMBOL = 2**23 - 1


def quantize(y: tf.Tensor, offset: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
  """Rounds a latent to integers around an offset.

  Args:
    y: Latent, any shape, float.
    offset: Quantization offset, broadcastable to `y`; None is 0.

  Returns:
    The symbols, which are integers in the dtype of `y` and at most `MAX_SYMBOL` in magnitude, and
    the quantized latent, `symbols + offset`.
  """
  centred = y if offset is None else y - offset
  symbols = tf.clip_by_value(tf.round(centred), -MAX_SYMBOL, MAX_SYMBOL)
  y_hat = symbols if offset is None else symbols + offset
  return symbols, y_hat
