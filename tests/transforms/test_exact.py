import os
import subprocess
import sys

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


def in_integers(x, kernel, bias):
  """A 3x3 convolution padded with zeros, in Python's own integers."""
  whole = [
    [int(v) for v in np.round(np.float64(values).ravel() * 2.0**bits)]
    for values, bits in ((x, 12), (kernel, 16), (bias, 28))
  ]
  x, kernel, bias = (
    np.array(values, dtype=object).reshape(shape)
    for values, shape in zip(whole, (x.shape, kernel.shape, bias.shape))
  )
  padded = np.zeros([x.shape[1] + 2, x.shape[2] + 2, x.shape[3]], dtype=object)
  padded[1:-1, 1:-1] = x[0]
  out = np.empty([1, *x.shape[1:3], kernel.shape[-1]], dtype=object)
  for i, j in np.ndindex(*x.shape[1:3]):
    out[0, i, j] = np.tensordot(padded[i : i + 3, j : j + 3], kernel, 3) + bias
  return out


def test_a_convolution_is_that_of_integers():
  layer = transforms.Conv2D(5, 3)
  x = 30 * tf.random.stateless_normal([1, 6, 7, 12], [3, 4])
  layer(x)
  layer.bias.assign(tf.random.stateless_normal([5], [5, 6]))
  ours = exactly(layer, x).astype(np.float64)
  expected = in_integers(
    np.round(x.numpy() * 2.0**12) / 2.0**12, layer.kernel.numpy(), layer.bias.numpy()
  )
  np.testing.assert_array_equal(
    ours * 2**12, np.round(expected.astype(np.float64) / 2.0**16)
  )  # ties to even, both


def test_it_is_close_to_the_float_network(network):
  x = tf.round(4 * tf.random.stateless_normal([1, 6, 5, 64], [7, 8]))
  floats, ours = network(x).numpy(), exactly(network, x)
  assert 0 < np.abs(floats - ours).max() < 0.01 * floats.std()
  np.testing.assert_array_equal(ours, np.round(ours * 2**12) / 2**12)


def test_the_result_does_not_depend_on_shape_batch_or_graph(network):
  x = tf.round(4 * tf.random.stateless_normal([3, 9, 8, 64], [9, 10]))
  whole = exactly(network, x)
  np.testing.assert_array_equal(exactly(network, x[1:2]), whole[1:2])
  # What the borders do not reach, from a crop.
  np.testing.assert_array_equal(exactly(network, x[:1, :6])[:, :12], whole[:1, :12])
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
  weights = exact.round_symbol_weights(tf.constant(kernel), tf.constant(bias))
  found = exact.weigh_symbols(tf.constant(symbols), weights).numpy()
  integers = [[[int(v) for v in row] for row in tap] for tap in np.clip(symbols, -511, 511)]
  whole = np.round(kernel.astype(np.float64) / weights.step.numpy()).astype(object)
  expected = (
    sum(np.dot(np.array(tap, dtype=object), matrix) for tap, matrix in zip(integers, whole)).astype(
      np.float64
    )
    * weights.step.numpy()
  )
  expected = np.clip(expected + np.round(bias.astype(np.float64) * 2.0**28) / 2.0**28, -4096, 4096)
  np.testing.assert_array_equal(found, np.round(expected * 2**12) / 2**12)
  assert np.abs(symbols).max() > 511
  order = rng.permutation(320)
  shuffled = exact.round_symbol_weights(tf.constant(kernel[:, order]), tf.constant(bias))
  np.testing.assert_array_equal(
    exact.weigh_symbols(tf.constant(symbols[:, :, order]), shuffled), found
  )
  # Close to the floats where nothing is clipped.
  small = np.clip(symbols, -5, 5)
  floats = np.einsum('tni,tio->no', small.astype(np.float64), kernel) + bias
  error = exact.weigh_symbols(tf.constant(small), weights).numpy() - np.clip(floats, -4096, 4096)
  deviation = (
    weights.step.numpy() * np.sqrt((small.astype(np.float64) ** 2).sum((0, 2)) / 12)[:, None]
  )
  assert (np.abs(error) < 5 * deviation + 2.0**-12).all()
  # As fine as float32 admits: twice as fine, a sum of 511s could pass 2^24.
  most = np.abs(whole.astype(np.float64)).sum(1).max(0) * 511
  assert (most <= 2**24).all() and (most > 2**22).all()


def test_one_large_weight_coarsens_its_own_output_alone():
  kernel = np.full([12, 320, 3], 0.01, np.float32)
  kernel[0, 0, 1] = 1000
  steps = exact.round_symbol_weights(tf.constant(kernel), tf.zeros([3])).step.numpy()
  assert steps[0] == steps[2] == 2.0**-13 and steps[1] == 2.0**-5


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


def test_sums_of_less_than_float64_are_noticed(monkeypatch):
  convolve = tf.nn.conv2d
  monkeypatch.setattr(
    tf.nn,
    'conv2d',
    lambda x, kernel, *rest: tf.cast(
      convolve(tf.cast(x, tf.float32), tf.cast(kernel, tf.float32), *rest), tf.float64
    ),
  )
  assert not exact.holds(tf.constant(1))


def test_what_is_traced_in_it_runs_on_the_processor():
  def function(x):
    with exact.arithmetic():
      return tf.exp(x)

  traced = tf.function(function).get_concrete_function(tf.TensorSpec([2]))
  (device,) = [node.device for node in traced.graph.as_graph_def().node if node.op == 'Exp']
  assert 'CPU' in device
