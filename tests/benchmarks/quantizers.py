"""Forward and backward of every pair, 8x16x16x192: `python tests/benchmarks/quantizers.py`.

Prints medians of interleaved rounds in milliseconds and their ratios. The built-in surrogates and
estimators, and any others that are installed, are found through the registry.
"""

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
  classes, _ = plugins.load_all()
  return [instances(cls)[-1] for cls in classes.values() if issubclass(cls, base)]


def name_of(quantizer):
  return f'{type(quantizer.surrogate).__name__} + {type(quantizer.estimator).__name__}'


def distortion_steps(y):
  """The noise, the quantizer and its gradient, of every pair that a distortion takes."""
  steps = {}
  for surrogate in of_group(tfusq.Surrogate):
    for estimator in of_group(tfusq.Estimator):
      if estimator.elementwise:
        continue
      try:
        quantizer = tfusq.Quantizer(surrogate, estimator)
      except tfusq.Undefined:
        continue
      steps[name_of(quantizer)] = timing.value_and_gradients(
        lambda y, q=quantizer: q(y, q.noise(y, [1, 2])), y
      )
  return steps


def rate_steps(y, mean, scale):
  """Noise, bits, and the gradients of latent, mean and scale, of every pair that a rate takes."""
  steps = {'TFC': timing.value_and_gradients(perturb_and_apply, y, mean, scale)}
  for surrogate in of_group(tfusq.Surrogate):
    for estimator in of_group(tfusq.Estimator):
      try:
        quantizer = tfusq.Quantizer(surrogate, estimator)
      except tfusq.Undefined:
        continue
      steps[name_of(quantizer)] = timing.value_and_gradients(
        lambda y, mean, scale, q=quantizer: q.evaluate(
          lambda v: gaussian_bits(v, mean, scale), y, q.noise(y, [1, 2])
        ),
        y,
        mean,
        scale,
      )
  return steps


def perturb_and_apply(y, mean, scale):
  """SUA + EP as TensorFlow Compression has it."""

  def bits(v, mean, scale):
    return -tfc.NoisySoftRoundedNormal(alpha=ALPHA, loc=mean, scale=scale).log_prob(v) / (
      tf.math.log(2.0)
    )

  return tfc.perturb_and_apply(bits, tfc.soft_round(y, ALPHA), mean, scale, expected_grads=True)[0]


def print_table(title, times, floors):
  print(f'\n{title:<28}{"ms":>8}' + ''.join(f'{"/ " + floor:>18}' for floor in floors))
  for name, taken in sorted(times.items(), key=lambda item: item[1]):
    print(
      f'{name:<28}{taken:>8.2f}' + ''.join(f'{taken / times[floor]:>18.2f}' for floor in floors)
    )


def main():
  y = 3 * tf.random.stateless_normal(SHAPE, [3, 4])
  mean, scale = tf.zeros_like(y), tf.fill(SHAPE, 0.7)
  steps = distortion_steps(y)
  steps['Gaussian bits'] = functools.partial(tf.function(gaussian_bits), y, mean, scale)
  print_table('distortion', timing.medians(steps), ['Round + STE', 'Gaussian bits'])
  print_table('rate', timing.medians(rate_steps(y, mean, scale)), ['AUN + EP', 'TFC'])


if __name__ == '__main__':
  main()
