import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from tfusq import transforms
from tfusq.transforms import exact


@pytest.fixture(scope='module')
def network():
  tf.keras.utils.set_random_seed(1)
  network = transforms.hyper_synthesis(96, 192)
  network(tf.zeros([1, 2, 2, 64]))
  for variable in network.variables:
    variable.assign_add(0.01 * tf.random.stateless_normal(variable.shape, [1, 2]))
  return network


def exactly(network, x):
  with exact.arithmetic():
    return network(x).numpy()


def step_of_activations(x, kernel):
  """The step of one image's activations in a block, in Python's integers and fractions."""
  channels = x.reshape(-1, x.shape[-1])
  highest = [max(Fraction(float(value)), 0) for value in channels.max(0)]
  lowest = [max(Fraction(-float(value)), 0) for value in channels.min(0)]
  power = Fraction(2) ** (math.frexp(float(max(highest + lowest)))[1] - 1)
  above = [math.ceil(512 * value / power) + 1 for value in highest]
  below = [math.ceil(512 * value / power) + 1 for value in lowest]

  bound = 0
  for output in range(kernel.shape[-1]):
    positive = negative = 0
    for channel in range(kernel.shape[-2]):
      for weight in kernel[..., channel, output].ravel().astype(int).tolist():
        reach = (above, below) if weight > 0 else (below, above)
        positive += abs(weight) * reach[0][channel]
        negative += abs(weight) * reach[1][channel]
    bound = max(bound, positive, negative)
  return float(power * 2 ** bound.bit_length() / 2**33)


def in_integers(x, layer, weights):
  """A 3x3 convolution padded with zeros, in Python's own integers."""
  total = np.full([1, *x.shape[1:3], layer.filters], Fraction(0))
  start = 0
  for kernel in weights.kernels:
    block = x[..., start : start + kernel.shape[-2]]
    start += kernel.shape[-2]
    step = step_of_activations(block, kernel)
    integers = np.round(block.astype(np.float64) / step).astype(np.int64).astype(object)
    padded = np.pad(integers, [(0, 0), (1, 1), (1, 1), (0, 0)])
    weighed = kernel.astype(np.int64).astype(object)
    for i, j in np.ndindex(*x.shape[1:3]):
      sums = np.tensordot(padded[0, i : i + 3, j : j + 3], weighed, 3)
      total[0, i, j] += sums * Fraction(step)

  # Rounded to nearest where it has more than 24 bits.
  scaled = total.astype(np.float64).astype(np.float32) * weights.step
  return scaled + layer.bias.numpy()


@pytest.mark.parametrize('inputs', [12, 400])
def test_a_convolution_is_that_of_integers(inputs):
  layer = transforms.Conv2D(5, 3)
  x = 30 * tf.random.stateless_normal([1, 6, 7, inputs], [3, 4])
  # Blocks of very different activations.
  x *= 2.0 ** tf.linspace(0.0, -20.0, inputs)
  layer(x)
  layer.bias.assign(tf.random.stateless_normal([5], [5, 6]))
  weights = exact.round_weights(layer.kernel.numpy(), layer.bias.numpy())
  assert len(weights.kernels) == (1 if inputs == 12 else 10)
  expected = in_integers(x.numpy(), layer, weights)
  np.testing.assert_array_equal(exactly(layer, x), expected)


@pytest.mark.parametrize('signed', [False, True])
@pytest.mark.parametrize('varied', [False, True])
@pytest.mark.parametrize(
  'make, stride', [(transforms.Conv2D, 1), (transforms.Conv2DTranspose, 2), (None, 1)]
)
def test_no_sum_passes_what_float32_holds_exactly(make, stride, varied, signed):
  """Each channel at its greatest wherever that adds to the sum, and at its least elsewhere."""
  rng = np.random.default_rng(1)
  inputs, outputs = 300, 4
  layer = make(outputs, 5, strides=stride) if make else transforms.Dense(outputs)
  layer(tf.zeros([1, 8, 8, inputs]))
  kernel = rng.standard_t(3, layer.kernel.shape).astype(np.float32)
  weights = exact.round_weights(kernel, np.zeros(outputs), layer.output_axis, stride)

  greatest = 2.0 ** rng.uniform(-6, 0, inputs) if varied else np.full(inputs, 1.9999999)
  x = np.zeros([1, 4, 4, inputs], np.float32)
  x[0, 1, 2] = greatest
  x[0, 2, 1] = -greatest if signed else 0
  if make:
    steps = exact._steps_of_images(tf.constant(x), weights)
  else:
    steps = exact._steps_of_positions(tf.constant(x[0, 1, 2]), weights)

  largest, start = 0, 0
  for block, step in zip(weights.kernels, np.ravel(steps), strict=True):
    # Rows and columns of taps, inputs, outputs.
    taps = block if layer.output_axis == -1 else block.swapaxes(-1, -2)
    taps = taps.reshape(-1 if make else 1, 5 if make else 1, *taps.shape[-2:])
    channels = np.float32(greatest)[start : start + taps.shape[2], None]
    reach = np.round(channels / step)
    for row, column in np.ndindex(stride, stride):
      meeting = taps[row::stride, column::stride]
      positive = (np.maximum(meeting, 0) * reach).sum((0, 1, 2))
      negative = (np.maximum(-meeting, 0) * reach).sum((0, 1, 2))
      sums = positive + negative if signed else np.maximum(positive, negative)
      largest = max(largest, sums.max())
    start += taps.shape[2]
  assert start == inputs and largest <= 2**24
  assert largest > 2**22 or not make  # a position's step depends on its greatest activation alone


def test_a_block_takes_few_operations():
  """Large networks have a thousand blocks, and their graphs are traced and saved."""

  def operations(inputs):
    layer = transforms.Conv2D(5, 3)
    layer(tf.zeros([1, 6, 7, inputs]))
    with exact.arithmetic(), exact.storing(exact.Store()):
      traced = tf.function(layer).get_concrete_function(tf.TensorSpec([1, 6, 7, inputs]))
    blocks = len(exact.round_weights(layer.kernel.numpy(), layer.bias.numpy()).blocks)
    return len(traced.graph.get_operations()), blocks

  (few, first), (many, second) = operations(100), operations(800)
  assert second > first + 10
  assert many - few <= 9 * (second - first)


def test_small_activations_keep_their_digits_beside_large_ones():
  """Those of one block do not decide how finely those of another are rounded."""
  layer = transforms.Conv2D(5, 3)
  x = np.random.default_rng(0).standard_normal([1, 6, 7, 200]).astype(np.float32)
  x[..., :50] *= 1000
  layer(x)
  kernel = layer.kernel.numpy()
  kernel[:, :, :50] /= 1e6
  layer.kernel.assign(kernel)
  assert len(exact.round_weights(kernel, layer.bias.numpy()).kernels) > 3
  difference = exactly(layer, x) - layer(x).numpy()
  assert np.abs(difference).max() < 0.01 * np.abs(layer(x)).max()


@pytest.mark.parametrize('blocks', [2, 16, 120])
def test_steps_are_so_near_each_other_that_float64_adds_sums_exactly(blocks):
  steps = exact._near_each_other(tf.constant([2.0**-power for power in range(blocks)]), blocks)
  ratio = float(tf.reduce_max(steps) / tf.reduce_min(steps))
  assert len(steps) * 2**24 * ratio <= 2**53
  assert steps[0] == 1 and steps[1] == 0.5


def test_a_weight_too_large_for_a_block_coarsens_its_own_output_alone():
  kernel = np.full([3, 3, 200, 3], 0.01, np.float32)
  kernel[0, 0, 0, 1] = 1000
  weights = exact.round_weights(kernel, np.zeros(3))
  assert weights.step[0] == weights.step[2] == 2.0**-12 and weights.step[1] == 2.0**-4
  assert weights.kernels[0][0, 0, 0, 1] == 16000


def test_zeros_and_nothing_at_all_are_convolved():
  layer = transforms.Dense(3)
  layer(tf.zeros([1, 4]))
  layer.bias.assign([1.0, 2.0, 3.0])
  zeros = exactly(layer, tf.zeros([2, 5, 1, 4]))
  np.testing.assert_array_equal(zeros, np.broadcast_to([1.0, 2.0, 3.0], [2, 5, 1, 3]))
  assert exactly(layer, tf.zeros([1, 0, 1, 4])).shape == (1, 0, 1, 3)
  layer.kernel.assign(tf.zeros([4, 3]))
  np.testing.assert_array_equal(exactly(layer, tf.ones([2, 5, 1, 4])), zeros)


def test_results_are_clipped_and_never_infinite():
  layer = transforms.Dense(1)
  layer(tf.zeros([1, 2]))
  layer.kernel.assign([[2000.0], [2000.0]])
  np.testing.assert_array_equal(
    exactly(layer, tf.constant([[[1e30, 1e30]], [[-1e30, -1e30]]])).ravel(), [2.0**20, -(2.0**20)]
  )


def test_it_is_close_to_the_float_network(network):
  x = tf.round(4 * tf.random.stateless_normal([1, 6, 5, 64], [7, 8]))
  floats, ours = network(x).numpy(), exactly(network, x)
  error = np.sqrt(np.mean((floats - ours) ** 2)) / floats.std()
  assert 0 < error < 0.02  # in three layers


def test_the_result_does_not_depend_on_batch_or_graph(network):
  x = tf.round(4 * tf.random.stateless_normal([3, 9, 8, 64], [9, 10]))
  whole = exactly(network, x)
  np.testing.assert_array_equal(exactly(network, x[1:2]), whole[1:2])
  np.testing.assert_array_equal(tf.function(lambda x: exactly_in_graph(network, x))(x), whole)


def exactly_in_graph(network, x):
  with exact.arithmetic():
    return network(x)


RUN_ELSEWHERE = """
import sys, numpy as np
from tfusq import transforms
from tfusq.transforms import exact

network = transforms.hyper_synthesis(96, 192)
x, *values = np.load(sys.argv[1]).values()
network(x)
for variable, value in zip(network.variables, values):
  variable.assign(value)
with exact.arithmetic():
  y = network(x)
np.savez(sys.argv[2], exact=y.numpy(), floats=network(x).numpy())
"""


@pytest.mark.long
def test_the_result_does_not_depend_on_threads_or_kernels(network, tmp_path):
  x = tf.round(4 * tf.random.stateless_normal([1, 9, 8, 64], [11, 12])).numpy()
  np.savez(tmp_path / 'in.npz', x, *(variable.numpy() for variable in network.variables))
  ours = exactly(network, x)

  # Which kernels are the default depends on the processor, so both are asked for.
  floats = []
  for threads, onednn in (('1', '0'), ('2', '1')):
    environment = {'TF_NUM_INTRAOP_THREADS': threads, 'TF_ENABLE_ONEDNN_OPTS': onednn}
    words = [
      sys.executable,
      '-c',
      RUN_ELSEWHERE,
      str(tmp_path / 'in.npz'),
      str(tmp_path / 'out.npz'),
    ]
    subprocess.run(words, check=True, env={**os.environ, **environment})
    elsewhere = np.load(tmp_path / 'out.npz')
    np.testing.assert_array_equal(elsewhere['exact'], ours)
    floats.append(elsewhere['floats'])
  assert (floats[0] != floats[1]).any()  # otherwise this shows nothing


@pytest.mark.parametrize('size', [0.05, 1.0, 300.0])  # of weights: larger ones take a coarser grid
def test_symbols_are_weighed_as_integers_in_any_order(size):
  rng = np.random.default_rng(1)
  kernel = rng.normal(0, size, [12, 320, 7]).astype(np.float32)
  bias = rng.normal(0, 1, 7).astype(np.float32)
  symbols = np.round(rng.laplace(0, 300, [12, 5, 320])).astype(np.float32)
  weights = exact.round_symbol_weights(kernel, bias)
  found = exact.weigh_symbols(tf.constant(symbols), weights).numpy()
  integers = [[[int(v) for v in row] for row in tap] for tap in np.clip(symbols, -511, 511)]
  whole = np.round(kernel.astype(np.float64) / weights.step).astype(object)
  total = sum(
    np.dot(np.array(tap, dtype=object), matrix) for tap, matrix in zip(integers, whole, strict=True)
  )
  expected = (total.astype(np.float64) * weights.step + bias.astype(np.float64)).astype(np.float32)
  np.testing.assert_array_equal(found, np.clip(expected, -(2.0**20), 2.0**20))
  assert np.abs(symbols).max() > 511
  order = rng.permutation(320)
  shuffled = exact.round_symbol_weights(kernel[:, order], bias)
  np.testing.assert_array_equal(
    exact.weigh_symbols(tf.constant(symbols[:, :, order]), shuffled), found
  )
  # Close to the floats where nothing is clipped.
  small = np.clip(symbols, -5, 5)
  floats = np.einsum('tni,tio->no', small.astype(np.float64), kernel) + bias
  error = exact.weigh_symbols(tf.constant(small), weights).numpy() - floats
  deviation = weights.step * np.sqrt((small.astype(np.float64) ** 2).sum((0, 2)) / 12)[:, None]
  assert (np.abs(error) < 5 * deviation + 1e-6 * np.abs(floats)).all()
  # As fine as float32 admits: twice as fine, a sum of 511s could pass 2^24.
  most = np.abs(whole.astype(np.float64)).sum(1).max(0) * 511
  assert (most <= 2**24).all() and (most > 2**22).all()


def test_one_large_weight_coarsens_its_own_output_of_symbols_alone():
  kernel = np.full([12, 320, 3], 0.01, np.float32)
  kernel[0, 0, 1] = 1000
  steps = exact.round_symbol_weights(kernel, np.zeros(3)).step
  assert steps[0] == steps[2] == 2.0**-13 and steps[1] == 2.0**-5


def test_weights_are_rounded_once_for_a_store_and_are_its_variables(network):
  x = tf.ones([1, 2, 2, 64])
  store = exact.Store()
  with exact.storing(store):
    ours = exactly(network, x)
    rounded = [variable.ref() for variable in store.variables]
    network.layers[0].bias.assign_add(tf.ones_like(network.layers[0].bias))
    np.testing.assert_array_equal(exactly(network, x), ours)
    assert [variable.ref() for variable in store.variables] == rounded
  assert (exactly(network, x) != ours).any()
  network.layers[0].bias.assign_sub(tf.ones_like(network.layers[0].bias))


def test_arithmetic_ends_with_its_block():
  assert not exact.active()
  with pytest.raises(RuntimeError), exact.arithmetic():
    assert exact.active()
    raise RuntimeError
  assert not exact.active()


def test_products_are_exact_here_and_on_the_processor():
  traced = tf.function(exact.holds).get_concrete_function(tf.TensorSpec([], tf.int32))
  assert traced(tf.constant(5))
  products = [node for node in traced.graph.as_graph_def().node if node.op != 'Placeholder']
  assert all('CPU' in node.device for node in products if node.op in ('BatchMatMulV2', 'Conv2D'))


@pytest.mark.parametrize(
  'bits', [8, 11, 11 + 1]
)  # bfloat16, TensorFloat-32 and float16, and one more
def test_factors_that_are_rounded_are_noticed(bits, monkeypatch):
  matmul = tf.matmul

  def rounded(x):
    exponent = tf.floor(tf.math.log(x) / tf.math.log(2.0))
    unit = 2.0 ** (exponent - bits + 1)
    return tf.round(x / unit) * unit

  monkeypatch.setattr(tf, 'matmul', lambda x, y: matmul(rounded(x), rounded(y)))
  assert not exact.holds(tf.constant(1))


def test_convolutions_by_transforms_are_noticed(monkeypatch):
  """Winograd's, of two outputs at a time along rows, as libraries choose it for kernels of 3x3."""

  def by_transform(x, kernel, *_):
    parts = []
    for column in range(0, x.shape[2] - 2, 2):
      d = [x[:, :, column + k] for k in range(4)]
      products = []
      for pair, weights in (
        (d[0] - d[2], kernel[:, 0]),
        (d[1] + d[2], (kernel[:, 0] + kernel[:, 1] + kernel[:, 2]) / 2),
        (d[2] - d[1], (kernel[:, 0] - kernel[:, 1] + kernel[:, 2]) / 2),
        (d[1] - d[3], kernel[:, 2]),
      ):
        rows = [tf.matmul(pair[:, row : row + 8], weights[row]) for row in range(3)]
        products.append(rows[0] + rows[1] + rows[2])
      parts += [
        products[0] + products[1] + products[2],
        products[1] - products[2] - products[3],
      ]
    return tf.stack(parts, 2)

  image, kernel, expected = exact._probe()
  sixteenths = by_transform(tf.constant(image) / 2**12, tf.constant(kernel))
  np.testing.assert_allclose(sixteenths * 2**12, expected, rtol=1e-6)
  monkeypatch.setattr(tf.nn, 'conv2d', by_transform)
  assert not exact.holds(tf.constant(1))


def test_what_is_traced_in_it_runs_on_the_processor():
  def function(x):
    with exact.arithmetic():
      return tf.exp(x)

  traced = tf.function(function).get_concrete_function(tf.TensorSpec([2]))
  (device,) = [node.device for node in traced.graph.as_graph_def().node if node.op == 'Exp']
  assert 'CPU' in device
