"""Times forward and backward of every pair: `python tests/benchmarks/quantizers.py`.

Prints medians of interleaved rounds on a latent of 8x16x16x192, in milliseconds, and their ratios.
The surrogates and estimators are those that are registered, built-in or installed.
"""

import argparse
import functools

import tensorflow as tf
import tensorflow_compression as tfc

import tfusq
import timing
from tfusq import plugins
from tfusq.entropy_models import gaussian_bits
from tfusq.testing import instances

SHAPE = (8, 16, 16, 192)
ALPHA = 5.0


def of_group(base):
  """Returns an object of every registered class that derives from `base`."""
  classes, _ = plugins.load_all()
  return [instances(cls)[-1] for cls in classes.values() if issubclass(cls, base)]


def quantizers():
  """Yields the name and the quantizer of every pair that is defined."""
  for surrogate in of_group(tfusq.Surrogate):
    for estimator in of_group(tfusq.Estimator):
      try:
        quantizer = tfusq.Quantizer(surrogate, estimator)
      except tfusq.Undefined:
        continue
      yield f'{type(surrogate).__name__} + {type(estimator).__name__}', quantizer


def distortion_steps(y):
  """Returns steps of noise, quantizer and gradient, for every pair that a distortion takes."""
  steps = {}
  for name, quantizer in quantizers():
    if quantizer.estimator.elementwise:
      continue

    def quantize(y, quantizer=quantizer):
      return quantizer(y, quantizer.noise(y, [1, 2]))

    steps[name] = timing.value_and_gradients(quantize, y)
  return steps


def rate_steps(y, mean, scale):
  """Returns steps of noise, bits and the gradients by latent, mean and scale, for every pair."""
  steps = {'TFC': timing.value_and_gradients(perturb_and_apply, y, mean, scale)}
  for name, quantizer in quantizers():

    def rate(y, mean, scale, quantizer=quantizer):
      u = quantizer.noise(y, [1, 2])
      return quantizer.evaluate(lambda v: gaussian_bits(v, mean, scale), y, u)

    steps[name] = timing.value_and_gradients(rate, y, mean, scale)
  return steps


def perturb_and_apply(y, mean, scale):
  """Returns the bits of SUA + EP by TensorFlow Compression."""

  def bits(v, mean, scale):
    prior = tfc.NoisySoftRoundedNormal(alpha=ALPHA, loc=mean, scale=scale)
    return -prior.log_prob(v) / tf.math.log(2.0)

  rounded = tfc.soft_round(y, ALPHA)
  return tfc.perturb_and_apply(bits, rounded, mean, scale, expected_grads=True)[0]


def print_table(title, times, references):
  """Prints times, the shortest first, and their ratios to some of them."""
  headings = [f'{"/ " + name:>18}' for name in references]
  print(f'\n{title:<28}{"ms":>8}' + ''.join(headings))
  for name, milliseconds in sorted(times.items(), key=lambda item: item[1]):
    ratios = [f'{milliseconds / times[reference]:>18.2f}' for reference in references]
    print(f'{name:<28}{milliseconds:>8.2f}' + ''.join(ratios))


def main():
  """Prints the two tables."""
  argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
  y = 3 * tf.random.stateless_normal(SHAPE, [3, 4])
  mean = tf.zeros_like(y)
  scale = tf.fill(SHAPE, 0.7)

  steps = distortion_steps(y)
  steps['Gaussian bits'] = functools.partial(tf.function(gaussian_bits), y, mean, scale)
  print_table('distortion', timing.medians(steps), ['Round + STE', 'Gaussian bits'])
  print_table('rate', timing.medians(rate_steps(y, mean, scale)), ['AUN + EP', 'TFC'])


if __name__ == '__main__':
  main()
