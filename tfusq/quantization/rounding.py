"""The hard quantizer: rounding, as the codec applies it."""

import tensorflow as tf

# Symbols stay below 2^23: float32 holds them and their distance to the latent exactly enough, and
# the range coder's operations never see what they would hang on.
MAX_SYMBOL = 2**23 - 1


def quantize(y: tf.Tensor, offset: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
  """The quantizer itself, as the codec applies it.

  Args:
    y: Latent, any shape, float.
    offset: Quantization offset, broadcastable to `y`; None is 0.

  Returns:
    Symbols, integers held in the dtype of `y`, at most `MAX_SYMBOL` in magnitude, and the
    quantized latent `symbols + offset`.
  """
  centred = y if offset is None else y - offset
  symbols = tf.clip_by_value(tf.round(centred), -MAX_SYMBOL, MAX_SYMBOL)
  return symbols, symbols if offset is None else symbols + offset
