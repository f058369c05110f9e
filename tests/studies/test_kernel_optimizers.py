"""SOAP and Muon against NumPy, and as runs use them: resumed, scaled, scheduled, clipped."""

import numpy as np
import pytest
import tensorflow as tf

from kernel_optimizers import SOAP, Muon, orthogonal
from tfusq.training.learning_rate import CosineDecay
from tfusq.training.loss_scale import LossScale

OPTIMIZERS = [SOAP, Muon]
# Two kernels, the second one of pixels, and a bias.
SHAPES = [2, 3, 4, 5], [2, 2, 3, 6], [5]


def schedule(step, steps=40):
  """The learning rate of a step."""
  return 0.01 * (1 + np.cos(np.pi * step / steps)) / 2


@pytest.fixture
def gradients():
  """Gradients of 24 steps by variable, correlated over axes and of different sizes by step."""
  random = np.random.default_rng(1)
  steps = []
  for step in range(24):
    of_step = []
    for shape in SHAPES:
      mixing = np.eye(shape[-1]) + 0.5
      of_step.append((1 + step % 3) * random.normal(size=shape) @ mixing)
    steps.append([gradient.astype(np.float32) for gradient in of_step])
  return steps


def start():
  random = np.random.default_rng(2)
  return [tf.Variable(random.normal(size=shape), dtype=tf.float32) for shape in SHAPES]


def train(optimizer, variables, gradients):
  """Takes a step for each list of gradients, in a graph."""
  optimizer.build(variables)

  @tf.function
  def step(*gradients):
    optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)

  for of_step in gradients:
    step(*[tf.constant(gradient) for gradient in of_step])
  return [variable.numpy() for variable in variables]


def clipped(gradients, largest):
  norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients))
  return [gradient * min(1, largest / norm) for gradient in gradients]


def unfolded(x, axis):
  """The matrix of an axis and all others."""
  return np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)


def multiplied(x, matrices, axis_of_matrix):
  for axis, matrix in matrices.items():
    x = np.moveaxis(np.tensordot(x, matrix, [[axis], [axis_of_matrix]]), -1, axis)
  return x


def soap(x, gradients, rates, axes, frequency, beta=0.95, epsilon=1e-8):
  """Alg. 3 of the paper: the momentum is kept as it is, and rotated in each step."""
  m, v = np.zeros_like(x), np.zeros_like(x)
  factors = dict.fromkeys(axes, 0.0)
  bases = {}
  for step, (g, rate) in enumerate(zip(gradients, rates)):
    if step:
      m = beta * m + (1 - beta) * g
      v = beta * v + (1 - beta) * multiplied(g, bases, 0) ** 2
      # The paper's epsilon is inside of the root, that of the authors' code outside.
      m_rotated = multiplied(m, bases, 0) / (1 - beta**step)
      update = m_rotated / (np.sqrt(v / (1 - beta**step)) + epsilon)
      x = x - rate * multiplied(update, bases, 1)

    for axis in axes:
      factors[axis] = beta * factors[axis] + (1 - beta) * unfolded(g, axis) @ unfolded(g, axis).T
      if step == 0:
        bases[axis] = np.linalg.eigh(factors[axis])[1][:, ::-1]
      elif step % frequency == 0:
        energy = np.diag(bases[axis].T @ factors[axis] @ bases[axis])
        order = np.argsort(-energy)
        bases[axis] = np.linalg.qr(factors[axis] @ bases[axis][:, order])[0]
        v = np.take(v, order, axis)
  return x


def test_soap_is_the_papers_algorithm(gradients):
  rates = [schedule(step) for step in range(len(gradients))]
  variables = start()
  expected = [variable.numpy().astype(float) for variable in variables]
  optimizer = SOAP(CosineDecay(0.01, 40), frequency=4, largest=5, global_clipnorm=9.0)
  trained = train(optimizer, variables, gradients)

  by_variable = list(zip(*[clipped(of_step, 9.0) for of_step in gradients]))
  # Positions are one axis, here of 6 and of 4; the last axis of the second kernel is too long.
  for number, (shape, axes) in enumerate([([6, 4, 5], [1, 2]), ([4, 3, 6], [0, 1]), ([5], [])]):
    values = [gradient.reshape(shape).astype(float) for gradient in by_variable[number]]
    reference = soap(expected[number].reshape(shape), values, rates, axes, 4)
    np.testing.assert_allclose(trained[number].reshape(shape), reference, rtol=0, atol=2e-5)


def test_soap_takes_no_step_with_its_first_gradient(gradients):
  variables = start()
  before = [variable.numpy() for variable in variables]
  for value, trained in zip(before, train(SOAP(), variables, gradients[:1])):
    np.testing.assert_array_equal(trained, value)


def muon_by_singular_values(gradients, x, rates, momentum=0.95):
  """The polynomials act on the singular values alone."""
  m = np.zeros_like(x)
  for g, rate in zip(gradients, rates):
    m = momentum * m + (1 - momentum) * g
    u, s, v = np.linalg.svd((1 - momentum) * g + momentum * m, full_matrices=False)
    s /= np.linalg.norm(s)
    for _ in range(5):
      s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    x = x - rate * 0.2 * np.sqrt(max(x.shape)) * u * s @ v
  return x


def test_muon_makes_the_momentum_of_kernels_orthogonal(gradients):
  rates = [schedule(step) for step in range(len(gradients))]
  variables = start()
  expected = [variable.numpy().astype(float) for variable in variables]
  optimizer = Muon(CosineDecay(0.01, 40), global_clipnorm=9.0)
  trained = train(optimizer, variables, gradients)

  kernels = [clipped(of_step, 9.0)[0].reshape(24, 5).astype(float) for of_step in gradients]
  reference = muon_by_singular_values(kernels, expected[0].reshape(24, 5), rates)
  np.testing.assert_allclose(trained[0].reshape(24, 5), reference, rtol=0, atol=2e-5)


def test_muon_trains_other_variables_and_kernels_of_pixels_by_adam(gradients):
  variables, by_adam = start(), start()
  trained = train(Muon(CosineDecay(0.01, 40)), variables, gradients)
  expected = train(tf.keras.optimizers.Adam(CosineDecay(0.01, 40)), by_adam, gradients)
  for number in (1, 2):
    np.testing.assert_allclose(trained[number], expected[number], rtol=1e-5)
  assert np.abs(trained[0] - expected[0]).max() > 1e-3


@pytest.mark.parametrize('shape', [(7, 4), (4, 7), (5, 5)])
def test_matrices_become_nearly_orthogonal(shape):
  matrix = tf.random.stateless_normal(shape, [1, 2]) * 1e-3
  singular_values = np.linalg.svd(orthogonal(matrix).numpy())[1]
  assert singular_values.min() > 0.6
  assert singular_values.max() < 1.3
  np.testing.assert_array_equal(orthogonal(tf.zeros(shape)), np.zeros(shape))


@pytest.mark.parametrize('make', OPTIMIZERS)
def test_a_resumed_training_equals_an_uninterrupted_one(make, gradients, tmp_path):
  whole = train(make(CosineDecay(0.01, 40)), start(), gradients)

  variables = start()
  optimizer = make(CosineDecay(0.01, 40))
  train(optimizer, variables, gradients[:13])
  path = tf.train.Checkpoint(optimizer=optimizer, variables=variables).save(str(tmp_path / 'ckpt'))

  variables = start()
  optimizer = make(CosineDecay(0.01, 40))
  optimizer.build(variables)
  checkpoint = tf.train.Checkpoint(optimizer=optimizer, variables=variables)
  checkpoint.restore(path).assert_existing_objects_matched()
  for value, resumed in zip(whole, train(optimizer, variables, gradients[13:])):
    np.testing.assert_array_equal(resumed, value)


@pytest.mark.parametrize('number', [0, 10])
@pytest.mark.parametrize('make', OPTIMIZERS)
def test_a_gradient_that_is_not_finite_changes_nothing(make, number, gradients):
  variables = start()
  optimizer = make(1e-3)
  train(optimizer, variables, gradients[:number])
  optimizer.build(variables)
  kept = [*variables, *optimizer.variables[1:]]
  before = [variable.numpy() for variable in kept]

  broken = [tf.constant(gradient) for gradient in gradients[number]]
  broken[0] *= float('inf')
  norm = tf.constant(float('nan'))
  assert not LossScale().apply(optimizer, broken, variables, norm)
  for variable, value in zip(kept, before, strict=True):
    np.testing.assert_array_equal(variable, value)
  assert optimizer.iterations == number + 1
