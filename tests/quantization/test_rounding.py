import numpy as np
import tensorflow as tf

from tfusq import STE, Quantizer, Round, quantize
from tfusq.quantization.rounding import MAX_SYMBOL


def test_the_quantizer_that_codes_is_rounding_with_bounded_symbols(latents):
  offset = tf.fill(latents.shape, 0.3)
  symbols, y_hat = quantize(latents, offset)
  np.testing.assert_array_equal(symbols, tf.round(latents - offset))
  np.testing.assert_array_equal(y_hat, symbols + offset)

  far, _ = quantize(tf.constant([1e30, -1e30]))
  assert far.numpy().tolist() == [MAX_SYMBOL, -MAX_SYMBOL]

  trained = Quantizer(Round(), STE())(latents, tf.zeros([1]), offset)
  np.testing.assert_array_equal(trained, y_hat)
