"""Times the nine models at the paper's size.

    python tests/benchmarks/nine_models.py --image IMAGE

The weights are random, and the last layer of the analysis is scaled so that the latent's standard
deviation is 1. The exported codec compresses and decompresses one photograph, each model in a
process of its own with two threads. Printed are wall seconds and their parts: the networks outside
of the walk (analysis or synthesis), the walk without coding (hyper synthesis and contexts, in exact
arithmetic), and the rest, which is coding; then how many times the processor time of the same walk
in floats the walk takes. `--compressai INTERPRETER` also times the model of that
name in CompressAI and prints the ratio of processor times.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

MODELS = (
  'ms_hyper',
  'ms_hyper_zero',
  'ms_context',
  'cheng_anchor',
  'cheng_attn',
  'charm',
  'charm_zero',
  'elic_zero',
  'elic_sm_zero',
)
ROUNDS = 3
THEIRS = {
  'ms_hyper': 'MeanScaleHyperprior(192, 320)',
  'ms_context': 'JointAutoregressiveHierarchicalPriors(192, 320)',
  'cheng_anchor': 'Cheng2020Anchor(192)',
  'cheng_attn': 'Cheng2020Attention(192)',
  'elic_zero': 'Elic2022Official()',
}
COMPRESSAI = """
import json, resource, sys, time, warnings
warnings.simplefilter('ignore')
import numpy as np, torch
from compressai.models import *
from compressai.models.sensetime import Elic2022Official
torch.set_num_threads(2)
torch.manual_seed(0)
x = torch.from_numpy(np.load(sys.argv[2])).permute(2, 0, 1)[None].float() / 255
model = eval(sys.argv[1]).eval()
with torch.no_grad():
  # Scaled in front of a last attention module, which is not linear.
  last = [layer for layer in model.g_a if isinstance(layer, torch.nn.Conv2d)][-1]
  for _ in range(3):
    last.weight /= model.g_a(x).std()
  model.update(force=True)
  result = {'wall': [], 'cpu': []}
  for _ in range(int(sys.argv[3])):
    times, cpu = [time.perf_counter()], [time.process_time()]
    coded = model.compress(x)
    times.append(time.perf_counter()), cpu.append(time.process_time())
    model.decompress(**{key: coded[key] for key in ('strings', 'shape')})
    times.append(time.perf_counter()), cpu.append(time.process_time())
    result['wall'].append(np.diff(times).tolist())
    result['cpu'].append(np.diff(cpu).tolist())
result['memory'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(result))
"""


def replaying(model, coders, latents):
  """Returns a visitor that computes the table indexes of known latents, and does not code.

  Args:
    model: A codec model.
    coders: Range coders by name of the latent.
    latents: Real-valued latents by name.
  """
  import tensorflow as tf

  from tfusq.models import Visitor

  class Replay(Visitor):
    """Adds up the indexes, so that computing them is not optimized away."""

    def __init__(self):
      self.sum = 0

    def visit(self, part, raw):
      return self._replay(0, part, raw)[1]

    def visit_serially(self, part, context):
      total, y_hat = context.scan(self._replay, tf.constant(0), part)
      self.sum += total
      return y_hat

    def _replay(self, total, part, raw):
      parameters = model.entropy_models[part.latent].parameters(raw)
      total += tf.reduce_sum(coders[part.latent].index(parameters))
      if part.latent != 'y' or not model.serial:
        self.sum += total
      return total, tf.round(part.of(latents[part.latent]))

  return Replay()


def one(name, image_path):
  """Measures one model in this process and prints the result as JSON.

  Args:
    name: Name of the model's gin file.
    image_path: Photograph to compress.
  """
  import resource

  import numpy as np
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(2)
  tf.config.threading.set_inter_op_parallelism_threads(2)
  from tfusq import config, image_files
  from tfusq.export import bitstream, client, saved_model
  from tfusq.models import size
  from tfusq.transforms import exact
  from timing import elapsed

  config.parse(
    ['quantizers/aun_pge.gin', f'models/{name}.gin'], ['BOUND = 0.11', 'Codec.lmbda = 1.0'], []
  )
  codec = config.build('Codec')()
  codec.create()
  rows = size.summary(codec.centred_model)
  image = image_files.read_image(image_path)
  x = tf.constant(image[None], tf.float32) / 255
  model = codec.model
  last = getattr(model.analysis.layers[-1], 'down', model.analysis.layers[-1])
  # Repeated, because a last attention module is not linear in the weights in front of it.
  for _ in range(3):
    last.kernel.assign(last.kernel / tf.math.reduce_std(model.latents(x)['y']))
  latents = model.latents(x)
  coders = bitstream.make_coders(codec.centred_model)

  # As in an exported codec, whose rounded weights are variables.
  store = exact.Store()

  def walk_in(arithmetic):
    @tf.function(autograph=False)
    def walk():
      replay = replaying(model, coders, latents)
      with exact.storing(store), arithmetic():
        y_hat = model.walk(replay, 1, *image.shape[:2])
      return replay.sum, tf.reduce_sum(y_hat)

    return walk

  analyse = tf.function(lambda: model.latents(x), autograph=False)
  y_hat = tf.round(latents['y'])
  synthesize = tf.function(lambda: model.reconstruct(y_hat, *image.shape[:2]), autograph=False)
  with tempfile.TemporaryDirectory() as folder:
    saved_model.export(codec.centred_model, Path(folder) / 'codec', {})
    loaded = client.ExportedCodec(Path(folder) / 'codec')
    written = loaded.compress(image)
    steps = {
      'encode': lambda: loaded.compress(image),
      'decode': lambda: loaded.decompress(written),
      'analysis': analyse,
      'synthesis': synthesize,
      'walk': walk_in(exact.arithmetic),
    }
    if not model.serial:  # whose scan is exact always
      steps['floats'] = walk_in(contextlib.nullcontext)
    wall, cpu = elapsed(steps, ROUNDS)
  print(
    json.dumps(
      {
        'wall': wall,
        'cpu': cpu,
        'bytes': len(written),
        'pixels': int(np.prod(image.shape[:2])),
        'parameters': sum(row.parameters for row in rows),
        'kmacs': sum(row.decoding for row in rows),
        'memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
      }
    )
  )


def measure(arguments):
  """Runs a command and returns the JSON on the last line of its output."""
  result = subprocess.run(arguments, capture_output=True, text=True)
  if result.returncode:
    raise SystemExit(result.stderr[-2000:])
  return json.loads(result.stdout.splitlines()[-1])


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--image', required=True)
  parser.add_argument('--models', nargs='*', default=MODELS, choices=MODELS)
  parser.add_argument('--compressai', help='Python interpreter that has it')
  parser.add_argument('--one', choices=MODELS, help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.one:
    one(arguments.one, arguments.image)
    return
  print(
    f'{"":<14}{"params, M":>10}{"kMAC/px":>9}{"bpp":>6}{"encode":>8}{"analysis":>10}{"walk":>7}'
    f'{"coding":>8}{"decode":>8}{"synth.":>8}{"walk":>7}{"coding":>8}{"GiB":>6}{"CPU e/d":>12}'
    f'{"x floats":>10}'
  )
  for name in arguments.models:
    ours = measure([sys.executable, __file__, '--image', arguments.image, '--one', name])
    print(row(name, ours), flush=True)
    if arguments.compressai and name in THEIRS:
      theirs = measure_compressai(arguments.compressai, name, arguments.image)
      print(compressai_row(theirs, ours['cpu']), flush=True)


def row(name, result):
  """Returns the row of a model."""
  wall, cpu = result['wall'], result['cpu']
  bpp = 8 * result['bytes'] / result['pixels']
  encode_coding = wall['encode'] - wall['analysis'] - wall['walk']
  decode_coding = wall['decode'] - wall['synthesis'] - wall['walk']
  return (
    f'{name:<14}{result["parameters"] / 1e6:>10.2f}{result["kmacs"]:>9.0f}{bpp:>6.2f}'
    f'{wall["encode"]:>8.2f}{wall["analysis"]:>10.2f}{wall["walk"]:>7.2f}{encode_coding:>8.2f}'
    f'{wall["decode"]:>8.2f}{wall["synthesis"]:>8.2f}{wall["walk"]:>7.2f}{decode_coding:>8.2f}'
    f'{result["memory"] / 2**20:>6.2f}{cpu["encode"]:>6.2f}{cpu["decode"]:>6.2f}'
    + (f'{cpu["walk"] / cpu["floats"]:>10.2f}' if 'floats' in cpu else f'{"-":>10}')
  )


def measure_compressai(interpreter, name, image_path):
  """Measures CompressAI's model of the same name."""
  import numpy as np
  from PIL import Image

  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'image.npy'
    np.save(path, np.asarray(Image.open(image_path).convert('RGB')))
    return measure([interpreter, '-c', COMPRESSAI, THEIRS[name], str(path), str(ROUNDS)])


def compressai_row(result, cpu):
  """Returns the row of CompressAI's model, with the ratios of processor times."""
  import numpy as np

  encode, decode = np.median(result['wall'], 0)
  encode_cpu, decode_cpu = np.median(result['cpu'], 0)
  return (
    f'  CompressAI {"":<26}{encode:>8.2f}{"":>25}{decode:>8.2f}{"":>23}'
    f'{result["memory"] / 2**20:>6.2f}{encode_cpu:>6.2f}{decode_cpu:>6.2f}  ours / theirs: '
    f'encode {cpu["encode"] / encode_cpu:.2f}, decode {cpu["decode"] / decode_cpu:.2f}'
  )


if __name__ == '__main__':
  main()
