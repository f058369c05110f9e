"""Times a training step: `python tests/benchmarks/training.py [--models ...]`.

AUN+PGE | AUN+PGE on random patches of 256x256, each model in a process of its own with two threads.
Printed are the seconds of the compiled step as Keras runs it, and of the floor in the same process:
a bare `tf.function` over the same layers that does no more than the loss needs. `--compressai
INTERPRETER` also times the same model there, and `--bmshj2018 FILE` TensorFlow Compression's script
(its scale hyperprior with 192 filters). `sized` is MS-hyper with N=128 and M=192.
"""

import argparse
import sys

import nine_models
from nine_models import MODELS, measure

ROUNDS = 3
BINDINGS = {'sized': ['MSHyper.filters = 128', 'MSHyper.latent_channels = 192']}
THEIRS = {'sized': 'MeanScaleHyperprior(128, 192)', **nine_models.THEIRS}
COMPRESSAI = """
import json, resource, sys, time, warnings
warnings.simplefilter('ignore')
import numpy as np, torch
from compressai.models import *
from compressai.models.sensetime import Elic2022Official
from compressai.losses import RateDistortionLoss
torch.set_num_threads(2)
model = eval(sys.argv[1]).train()
optimizer = torch.optim.Adam(model.parameters(), 1e-4)
loss = RateDistortionLoss(.01)
x = torch.rand(int(sys.argv[2]), 3, 256, 256)
times = {'wall': [], 'cpu': []}
for _ in range(int(sys.argv[3]) + 1):
  start, cpu = time.perf_counter(), time.process_time()
  optimizer.zero_grad()
  loss(model(x), x)['loss'].backward()
  optimizer.step()
  times['wall'].append(time.perf_counter() - start)
  times['cpu'].append(time.process_time() - cpu)
print(json.dumps({name: float(np.median(taken[1:])) for name, taken in times.items()} | {
    'memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def bare_step(codec, batch):
  """Returns the floor: noise, loss, gradients and update, without metrics, checks or seeds.

  Args:
    codec: A codec; its networks and their variables are used.
    batch: Images to train on.
  """
  import tensorflow as tf

  from tfusq.models import Visitor

  model, optimizer = codec.model, tf.keras.optimizers.Adam(1e-4)
  variables = codec.trainable_variables

  class Bare(Visitor):
    """Adds noise and estimates the bits."""

    def __init__(self, latents):
      self.noisy = {}
      for name, y in latents.items():
        self.noisy[name] = y + tf.random.uniform(tf.shape(y), -0.5, 0.5)
      self.rounded = {'z': tf.round(latents['z']), 'y': self.noisy['y']}
      self.bits = []

    def visit(self, part, raw):
      entropy_model = model.entropy_models[part.latent]
      noisy = part.of(self.noisy[part.latent])
      bits = entropy_model.bits(noisy, entropy_model.parameters(raw))
      self.bits.append(tf.reduce_sum(bits))
      return part.of(self.rounded[part.latent])

    def visit_serially(self, part, context):
      return self.visit(part, context.raw(self.noisy[part.latent]))

  optimizer.build(variables)

  @tf.function
  def step(image):
    x = tf.cast(image, tf.float32) / 255
    with tf.GradientTape() as tape:
      visitor = Bare(model.latents(x))
      y_hat = model.walk(visitor, *x.shape[:3])
      mse = tf.reduce_mean(tf.square(x - model.reconstruct(y_hat, *x.shape[1:3])))
      loss = tf.add_n(visitor.bits) / (x.shape[0] * 256 * 256) + 650.0 * mse
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss

  return lambda: step(batch['image'])


def one(name, batch_size, jit_compile):
  """Measures one model in this process and prints the result as JSON.

  Args:
    name: Name of the model's gin file, or `sized`.
    batch_size: Number of patches.
    jit_compile: Whether XLA compiles the step.
  """
  import json
  import resource

  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(2)
  tf.config.threading.set_inter_op_parallelism_threads(2)
  from tfusq import config
  from timing import elapsed

  config.parse(
    ['quantizers/aun_pge.gin', f'models/{name.replace("sized", "ms_hyper")}.gin'],
    ['BOUND = 0.11', 'Codec.lmbda = 0.01', *BINDINGS.get(name, [])],
    [],
  )
  codec = config.build('Codec')()
  codec.compile(tf.keras.optimizers.Adam(1e-4), jit_compile=jit_compile)
  batch = {
    'image': tf.cast(tf.random.uniform([batch_size, 256, 256, 3], 0, 256, tf.int32), tf.uint8),
    'index': tf.range(batch_size, dtype=tf.int64),
  }
  steps = iter(tf.data.Dataset.from_tensors(batch).repeat())
  train = codec.make_train_function()
  train(steps)
  floor = bare_step(codec, batch)
  memory = []

  def step():
    train(steps)
    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

  wall, cpu = elapsed({'ours': step, 'floor': floor}, ROUNDS)
  print(json.dumps({'wall': wall, 'cpu': cpu, 'memory': memory[0]}))


def bmshj2018(file, batch_size):
  """Measures TensorFlow Compression's script in this process and prints the result as JSON."""
  import importlib.util
  import json
  import resource
  import types

  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(2)
  tf.config.threading.set_inter_op_parallelism_threads(2)
  from timing import elapsed

  sys.modules.setdefault('tensorflow_datasets', types.ModuleType('tensorflow_datasets'))
  spec = importlib.util.spec_from_file_location('bmshj2018', file)
  script = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(script)
  model = script.BMSHJ2018Model(0.01, 192, 64, 0.11, 256.0)
  model.compile(optimizer=tf.keras.optimizers.Adam(1e-4))
  images = tf.random.uniform([batch_size, 256, 256, 3], 0, 255)
  steps = iter(tf.data.Dataset.from_tensors(images).repeat())
  train = model.make_train_function()
  wall, cpu = elapsed({'ours': lambda: train(steps)}, ROUNDS)
  print(
    json.dumps(
      {
        'wall': wall['ours'],
        'cpu': cpu['ours'],
        'memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
      }
    )
  )


def report(name, theirs, ours=None):
  """Prints a row of another library.

  Args:
    name: Name of the library.
    theirs: Its seconds and memory.
    ours: Processor seconds to compare with.
  """
  ratio = f'  ours / theirs: {ours["ours"] / theirs["cpu"]:.2f}' if ours else ''
  print(
    f'  {name:<20}{"":>6}{theirs["wall"]:>8.2f}{"":>8}{"":>8}{theirs["cpu"]:>8.2f}'
    f'{theirs["memory"] / 2**20:>7.2f}{ratio}',
    flush=True,
  )


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--models', nargs='*', default=('sized', *MODELS), choices=('sized', *MODELS))
  parser.add_argument('--batch', type=int, default=8)
  parser.add_argument('--jit_compile', action='store_true')
  parser.add_argument('--compressai', help='Python interpreter that has it')
  parser.add_argument('--bmshj2018', help="TensorFlow Compression's script")
  parser.add_argument('--one', help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.one == 'bmshj2018':
    bmshj2018(arguments.bmshj2018, arguments.batch)
    return
  if arguments.one:
    one(arguments.one, arguments.batch, arguments.jit_compile)
    return
  again = [sys.executable, __file__, '--batch', str(arguments.batch)]
  print(f'{"":<22}{"batch":>6}{"step s":>8}{"floor s":>8}{"ratio":>8}{"CPU s":>8}{"GiB":>7}')
  for name in arguments.models:
    ours = measure([*again, '--one', name, *['--jit_compile'] * arguments.jit_compile])
    wall = ours['wall']
    print(
      f'{name:<22}{arguments.batch:>6}{wall["ours"]:>8.2f}{wall["floor"]:>8.2f}'
      f'{wall["ours"] / wall["floor"]:>8.2f}{ours["cpu"]["ours"]:>8.2f}'
      f'{ours["memory"] / 2**20:>7.2f}',
      flush=True,
    )
    if arguments.compressai and name in THEIRS:
      report(
        'CompressAI',
        measure(
          [arguments.compressai, '-c', COMPRESSAI, THEIRS[name], str(arguments.batch), str(ROUNDS)]
        ),
        ours['cpu'],
      )
  if arguments.bmshj2018:
    report('bmshj2018', measure([*again, '--one', 'bmshj2018', '--bmshj2018', arguments.bmshj2018]))


if __name__ == '__main__':
  main()
