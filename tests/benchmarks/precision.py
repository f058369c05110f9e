"""Precisions of training: a small codec trained with each, and each model's step compiled by XLA.

python tests/benchmarks/precision.py cost
python tests/benchmarks/precision.py compiled
"""

import argparse
import time

import numpy as np
import tensorflow as tf

from making import build_small, make_codec, make_patches, move
from tfusq.training.codec import Codec
from tfusq.training.execution import PRECISIONS, execution
from tfusq.training.learning_rate import PiecewiseConstantDecay
from tfusq.transforms.pixels import from_uint8

MODELS = ('ms_hyper', 'ms_context', 'charm', 'cheng_anchor', 'elic_sm_zero')
_BATCHES = 8


def cost(steps: int, precision: str) -> tuple[float, float]:
  """Returns the cost that a small codec is trained to, and the seconds of a step."""
  with execution(precision):
    codec = make_codec(zero_centre=False, lmbda=0.01)
    boundaries = [steps * 3 // 4, steps * 9 // 10]
    rate = PiecewiseConstantDecay(boundaries, [1e-3, 3e-4, 1e-4])
    codec.compile(tf.keras.optimizers.Adam(rate, global_clipnorm=10.0))
    codec.optimizer.build(codec.trainable_variables)
    patches = make_patches(batch_size=4)
    begin = time.monotonic()
    codec.fit(patches.dataset(), steps_per_epoch=steps, verbose=0)
    seconds = (time.monotonic() - begin) / steps
    codec.require_finite()
  return validated(codec), seconds


def validated(codec: Codec) -> float:
  """Returns the mean loss with rounding over some batches, in the precision of the networks."""
  losses = []
  for batch in make_patches(batch_size=4, seed=1).dataset().take(_BATCHES):
    losses.append(float(codec.hard(from_uint8(batch['image'])).loss(codec.lmbda)))
  return float(np.mean(losses))


def compiled(model: str) -> dict[str, float]:
  """Returns the seconds of compiling a step and of running it, and its distance to the plain one.

  The distance is the largest, relative to the value, of the terms of the loss and the norms.
  """
  codec = build_small(model)
  move(codec)
  codec.compile(tf.keras.optimizers.SGD(1e-4), jit_compile=False)
  codec.optimizer.build(codec.trainable_variables)
  batch = next(iter(make_patches().dataset()))
  state = [*codec.variables, *codec.optimizer.variables]
  before = [variable.numpy() for variable in state]

  plain = tf.function(codec.train_step)
  expected = plain(batch)
  for variable, value in zip(state, before, strict=True):
    variable.assign(value)
  # The same trace, compiled.
  step = tf.function(lambda data: plain(data), jit_compile=True)
  begin = time.monotonic()
  results = step(batch)
  seconds = time.monotonic() - begin
  distances = [abs(results[name] / expected[name] - 1) for name in expected]
  return {
    'compiling': seconds,
    'plain step': _seconds(plain, batch),
    'compiled step': _seconds(step, batch),
    'distance': float(max(distances)),
  }


def _seconds(step, batch) -> float:
  begin = time.monotonic()
  for _ in range(10):
    step(batch)['loss'].numpy()
  return (time.monotonic() - begin) / 10


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('what', choices=['cost', 'compiled'])
  parser.add_argument('--steps', type=int, default=3000, help='training steps with each precision')
  parser.add_argument('--models', nargs='+', default=MODELS, help='models to compile')
  arguments = parser.parse_args()

  if arguments.what == 'compiled':
    for model in arguments.models:
      figures = ', '.join(f'{name} {value:.3g}' for name, value in compiled(model).items())
      print(f'{model}: {figures}', flush=True)
    return
  costs = {}
  for precision in PRECISIONS:
    costs[precision], seconds = cost(arguments.steps, precision)
    excess = costs[precision] / costs['float32'] - 1
    print(
      f'{precision:14} cost {costs[precision]:.4f} ({excess:+.2%}), {seconds:.3g} s/step',
      flush=True,
    )


if __name__ == '__main__':
  main()
