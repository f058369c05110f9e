"""Precisions of training: a small codec trained on with each; each model's step compiled by XLA.

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
_LMBDA = 0.01
_BATCH = 4
_BATCHES = 32


def train(
  precision: str, rates: list[float], steps: int, start: list[np.ndarray] | None = None
) -> tuple[list[np.ndarray], float]:
  """Trains a small codec.

  Args:
    precision: Precision of the networks.
    rates: Learning rates, each for an equal share of the steps.
    steps: Number of steps.
    start: Weights to begin with; None for new ones.

  Returns:
    The weights, and the seconds of a step.
  """
  with execution(precision):
    codec = make_codec(zero_centre=False, lmbda=_LMBDA)
    if start is not None:
      assign(codec, start)
    boundaries = [steps * share // len(rates) for share in range(1, len(rates))]
    schedule = PiecewiseConstantDecay(boundaries, rates)
    codec.compile(tf.keras.optimizers.Adam(schedule, global_clipnorm=10.0))
    codec.optimizer.build(codec.trainable_variables)
    begin = time.monotonic()
    patches = make_patches(batch_size=_BATCH)
    codec.fit(patches.dataset(), steps_per_epoch=steps, verbose=0)
    codec.require_progress()
    weights = [variable.numpy() for variable in codec.model.variables]
    return weights, (time.monotonic() - begin) / steps


def assign(codec: Codec, weights: list[np.ndarray]) -> None:
  for variable, value in zip(codec.model.variables, weights, strict=True):
    variable.assign(value)


def cost(weights: list[np.ndarray]) -> float:
  """Returns the cost of trained weights in float32, as codecs are exported."""
  codec = make_codec(zero_centre=False, lmbda=_LMBDA)
  assign(codec, weights)
  return validated(codec)


def compare(steps: int) -> None:
  """Prints the costs of one half-trained codec that is trained to the end with each precision.

  From new weights, trainings that differ in a last digit end a few per cent apart.
  """
  start, _ = train('float32', [1e-3], steps)
  # How far apart equal trainings end.
  changed = [
    value * (1 + 1e-3 * np.sin(np.arange(value.size)).reshape(value.shape)) for value in start
  ]
  reference = None
  for name, precision, weights in (
    ('float32', 'float32', start),
    ('float32, weights changed by 0.1 %', 'float32', changed),
    *((precision, precision, start) for precision in PRECISIONS[1:]),
  ):
    trained, seconds = train(precision, [3e-4, 1e-4, 3e-5], steps, weights)
    value = cost(trained)
    reference = reference or value
    print(f'{name}: {value:.4f} ({value / reference - 1:+.2%}), {seconds:.3g} s/step', flush=True)


def validated(codec: Codec) -> float:
  """Returns the mean loss with rounding over some batches."""
  losses = []
  for batch in make_patches(batch_size=_BATCH, seed=1).dataset().take(_BATCHES):
    losses.append(float(codec.hard(from_uint8(batch['image'])).loss))
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
  parser.add_argument('--steps', type=int, default=1500, help='steps of each half of a training')
  parser.add_argument('--models', nargs='+', default=MODELS, help='models to compile')
  arguments = parser.parse_args()

  if arguments.what == 'compiled':
    for model in arguments.models:
      figures = ', '.join(f'{name} {value:.3g}' for name, value in compiled(model).items())
      print(f'{model}: {figures}', flush=True)
    return
  compare(arguments.steps)


if __name__ == '__main__':
  main()
