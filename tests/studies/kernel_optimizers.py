"""SOAP and Muon for Keras 2: optimizers that treat the kernel of a convolution as a matrix.

Keras has neither for its version 2, and Muon of Keras 3 takes matrices alone. A kernel
`[height, width, a, b]` is that of a convolution with `a` inputs and `b` outputs, or of a transposed
one with `b` inputs and `a` outputs. All other variables are trained by Adam.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

LearningRate = float | tf.keras.optimizers.schedules.LearningRateSchedule

# Coefficients of the iteration, from https://kellerjordan.github.io/posts/muon/
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Slots(NamedTuple):
  """What an optimizer keeps of a variable.

  Attributes:
    momentum: Moving average of the gradients.
    velocity: Moving average of their squares, or None.
    factors: Moving averages of the gradients' second moments, a matrix for each axis that has one.
    bases: Orthonormal bases that nearly diagonalize these, with basis vectors as columns.
  """

  momentum: tf.Variable
  velocity: tf.Variable | None
  factors: list[tf.Variable]
  bases: list[tf.Variable]


class _Optimizer(tf.keras.optimizers.Optimizer):
  """The frame of both: slots by variable, and Adam's step."""

  def __init__(
    self,
    name: str,
    learning_rate: LearningRate,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    global_clipnorm: float | None,
  ):
    # XLA would compile the step of each variable by itself.
    super().__init__(name, weight_decay=None, global_clipnorm=global_clipnorm, jit_compile=False)
    self._learning_rate = self._build_learning_rate(learning_rate)
    self.beta_1 = beta_1
    self.beta_2 = beta_2
    self.epsilon = epsilon

  def build(self, var_list: Sequence[tf.Variable]) -> None:
    """Creates the slots; Keras calls it again in each step."""
    super().build(var_list)
    if getattr(self, '_built', False):
      return
    self._built = True
    self._slots = [self._make_slots(variable) for variable in var_list]

  def _make_slots(self, variable: tf.Variable) -> Slots:
    momentum = self.add_variable_from_reference(variable, 'm')
    velocity = self.add_variable_from_reference(variable, 'v')
    return Slots(momentum, velocity, [], [])

  def _slots_of(self, variable: tf.Variable) -> Slots:
    return self._slots[self._index_dict[self._var_key(variable)]]


class SOAP(_Optimizer):
  """Adam in the eigenbasis of Shampoo's preconditioner.

  The positions of a kernel are one axis. An axis has a preconditioner if it is not longer than
  `largest`. Its basis is that of the first step's gradient, with which no step is taken, and
  `frequency` steps later and again it is brought nearer to the present eigenbasis by one step of
  the orthogonal iteration.

  #### References
  Vyas, Morwani, Zhao, Shapira, Brandfonbrener, Janson and Kakade, SOAP: improving and stabilizing
  Shampoo using Adam, 2024, Alg. 3, and the authors' code, which begins and sorts the basis so.
  https://arxiv.org/abs/2409.11321
  """

  def __init__(
    self,
    learning_rate: LearningRate = 3e-3,
    beta_1: float = 0.95,
    beta_2: float = 0.95,
    epsilon: float = 1e-8,
    frequency: int = 10,
    largest: int = 256,
    global_clipnorm: float | None = None,
  ):
    """Initializer.

    Args:
      learning_rate: Learning rate or its schedule.
      beta_1: Decay of the momentum.
      beta_2: Decay of the second moments, those of the preconditioner too.
      epsilon: Number added to the root of a second moment.
      frequency: Number of steps between changes of the bases.
      largest: Length of the longest axis that has a preconditioner.
      global_clipnorm: Largest norm of all gradients together, to which larger ones are scaled.
    """
    super().__init__('SOAP', learning_rate, beta_1, beta_2, epsilon, global_clipnorm)
    self.frequency = frequency
    self.largest = largest

  def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
    """Takes the step of one variable, with its gradient."""
    slots = self._slots_of(variable)
    shape = slots.momentum.shape
    gradient = tf.reshape(gradient, shape)
    bases = self._by_axis(slots.bases, shape)

    # The first gradient only makes the bases, and the steps are counted from the next one.
    step = tf.cast(self.iterations, tf.float32)
    is_counted = tf.minimum(step, 1)
    rotated = _rotated(gradient, bases)
    momentum = slots.momentum + is_counted * (1 - self.beta_1) * (rotated - slots.momentum)
    velocity = slots.velocity + is_counted * (1 - self.beta_2) * (rotated**2 - slots.velocity)

    count = tf.maximum(step, 1)
    rate = self.learning_rate * is_counted
    rate *= tf.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
    update = _rotated_back(momentum / (tf.sqrt(velocity) + self.epsilon), bases)
    variable.assign_sub(rate * tf.reshape(update, variable.shape))

    for axis, factor in zip(self._axes(shape), slots.factors):
      factor.assign_add((1 - self.beta_2) * (_second_moment(gradient, axis) - factor))
    self._assign(slots, momentum, velocity)

  def _make_slots(self, variable):
    if not is_kernel(variable):
      return super()._make_slots(variable)

    height, width, *channels = variable.shape
    shape = tf.TensorShape([height * width, *channels])
    momentum = self.add_variable_from_reference(variable, 'm', shape)
    velocity = self.add_variable_from_reference(variable, 'v', shape)
    factors, bases = [], []
    for axis in self._axes(shape):
      size = shape[axis]
      factors.append(self.add_variable_from_reference(variable, f'factor_{axis}', [size, size]))
      identity = tf.eye(size, dtype=variable.dtype)
      bases.append(
        self.add_variable_from_reference(variable, f'basis_{axis}', initial_value=identity)
      )
    return Slots(momentum, velocity, factors, bases)

  def _axes(self, shape: tf.TensorShape) -> list[int]:
    """Returns the axes that have a preconditioner."""
    if shape.rank != 3:
      return []
    return [axis for axis, size in enumerate(shape) if size <= self.largest]

  def _by_axis(self, matrices: Sequence[tf.Variable], shape: tf.TensorShape) -> list:
    """Returns the matrix of each axis, or None."""
    by_axis = dict(zip(self._axes(shape), matrices))
    return [by_axis.get(axis) for axis in range(shape.rank)]

  def _assign(self, slots: Slots, momentum: tf.Tensor, velocity: tf.Tensor) -> None:
    """Assigns the moments, in new bases where it is time for these."""
    if slots.bases:
      factors = [tf.identity(factor) for factor in slots.factors]
      before = [tf.identity(basis) for basis in slots.bases]
      kind = tf.where(self.iterations % self.frequency == 0, 2, 0)
      kind = tf.where(self.iterations == 0, 1, kind)
      bases, momentum, velocity = tf.switch_case(
        kind,
        [
          lambda: (before, momentum, velocity),
          lambda: ([_eigenbasis(factor) for factor in factors], momentum, velocity),
          lambda: self._in_new_bases(factors, before, momentum, velocity),
        ],
      )
      for variable, basis in zip(slots.bases, bases):
        variable.assign(basis)
    slots.momentum.assign(momentum)
    slots.velocity.assign(velocity)

  def _in_new_bases(
    self,
    factors: Sequence[tf.Tensor],
    before: Sequence[tf.Tensor],
    momentum: tf.Tensor,
    velocity: tf.Tensor,
  ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
    """Returns bases after a step of the orthogonal iteration, with the moments in them."""
    bases = []
    shape = momentum.shape
    momentum = _rotated_back(momentum, self._by_axis(before, shape))
    for axis, factor, basis in zip(self._axes(shape), factors, before):
      product = factor @ basis
      order = tf.argsort(tf.reduce_sum(basis * product, 0), direction='DESCENDING', stable=True)
      bases.append(tf.linalg.qr(tf.gather(product, order, axis=1)).q)
      velocity = tf.gather(velocity, order, axis=axis)
    momentum = _rotated(momentum, self._by_axis(bases, shape))
    return bases, momentum, tf.ensure_shape(velocity, shape)


class Muon(_Optimizer):
  """Momentum whose matrices are made orthogonal.

  A kernel is the matrix of its last axis and all others. The update has a root mean square of about
  0.2, as that of Adam, so that one learning rate serves both. Kernels between pixels and channels,
  which have three channels on a side, are trained by Adam, as a network's first and last layers are
  in the authors' experiments.

  #### References
  Jordan, Muon: an optimizer for hidden layers in neural networks, 2024.
  https://kellerjordan.github.io/posts/muon/
  Liu et al., Muon is scalable for LLM training, 2025, Sec. 2.2, for the scale.
  https://arxiv.org/abs/2502.16982
  """

  def __init__(
    self,
    learning_rate: LearningRate = 1e-3,
    momentum: float = 0.95,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    global_clipnorm: float | None = None,
  ):
    """Initializer.

    Args:
      learning_rate: Learning rate or its schedule.
      momentum: Decay of the momentum of matrices.
      beta_1: Decay of Adam's momentum.
      beta_2: Decay of Adam's second moments.
      epsilon: Number that Adam adds to the root of a second moment.
      global_clipnorm: Largest norm of all gradients together, to which larger ones are scaled.
    """
    super().__init__('Muon', learning_rate, beta_1, beta_2, epsilon, global_clipnorm)
    self.momentum = momentum

  def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
    """Takes the step of one variable, with its gradient."""
    slots = self._slots_of(variable)
    if self._is_matrix(variable):
      update = self._of_matrix(gradient, slots)
    else:
      update = self._of_adam(gradient, slots)
    variable.assign_sub(self.learning_rate * update)

  def _make_slots(self, variable):
    if not self._is_matrix(variable):
      return super()._make_slots(variable)
    momentum = self.add_variable_from_reference(variable, 'm')
    return Slots(momentum, None, [], [])

  def _is_matrix(self, variable: tf.Variable) -> bool:
    return is_kernel(variable) and 3 not in variable.shape[2:]

  def _of_matrix(self, gradient: tf.Tensor, slots: Slots) -> tf.Tensor:
    momentum = slots.momentum.assign_add((1 - self.momentum) * (gradient - slots.momentum))
    # Nesterov's momentum.
    ahead = gradient + self.momentum * (momentum - gradient)
    matrix = tf.reshape(ahead, [-1, gradient.shape[-1]])
    scale = 0.2 * max(matrix.shape) ** 0.5
    return tf.reshape(scale * orthogonal(matrix), gradient.shape)

  def _of_adam(self, gradient: tf.Tensor, slots: Slots) -> tf.Tensor:
    momentum = slots.momentum.assign_add((1 - self.beta_1) * (gradient - slots.momentum))
    velocity = slots.velocity.assign_add((1 - self.beta_2) * (gradient**2 - slots.velocity))
    count = tf.cast(self.iterations + 1, tf.float32)
    correction = tf.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
    return correction * momentum / (tf.sqrt(velocity) + self.epsilon)


def is_kernel(variable: tf.Variable) -> bool:
  """Returns whether a variable is the kernel of a convolution, by its number of axes."""
  return variable.shape.rank == 4


def orthogonal(matrix: tf.Tensor) -> tf.Tensor:
  """Returns a matrix with singular values from about 0.7 to 1.2 in the place of its own.

  An iteration `x <- (a + b x x^T + c (x x^T)^2) x` multiplies by a polynomial of `x x^T`. These are
  multiplied with each other, and `x` by all of them at once: of a long matrix that is a small part
  of the operations.

  Args:
    matrix: `[rows, columns]`, float32; a matrix of zeros remains one.
  """
  rows, columns = matrix.shape
  x = matrix if rows <= columns else tf.transpose(matrix)
  x /= tf.norm(x) + 1e-7
  square = tf.matmul(x, x, transpose_b=True)
  identity = tf.eye(min(rows, columns))
  product = identity
  a, b, c = _QUINTIC
  for _ in range(_ITERATIONS):
    factor = a * identity + b * square + c * square @ square
    product = factor @ product
    square = factor @ square @ factor
  x = product @ x
  return x if rows <= columns else tf.transpose(x)


def _eigenbasis(matrix: tf.Tensor) -> tf.Tensor:
  """Returns the eigenvectors of a symmetric matrix, that of the largest eigenvalue first."""
  # Where a gradient is not finite, the step is undone afterwards, if it can be computed.
  matrix = tf.where(tf.math.is_finite(matrix), matrix, 0)
  return tf.reverse(tf.linalg.eigh(matrix)[1], [1])


def _rotated(x: tf.Tensor, bases: Sequence[tf.Tensor | None]) -> tf.Tensor:
  """Returns coordinates with respect to a basis for each axis, or None for the axis as it is."""
  return _contracted(x, bases, 0)


def _rotated_back(x: tf.Tensor, bases: Sequence[tf.Tensor | None]) -> tf.Tensor:
  """Returns what has given coordinates."""
  return _contracted(x, bases, 1)


def _contracted(x: tf.Tensor, matrices: Sequence[tf.Tensor | None], side: int) -> tf.Tensor:
  """Returns the sums over each axis with an axis of its matrix, 0 or 1."""
  if x.shape.rank != 3:
    return x
  positions, _, channels = x.shape
  first, second, third = matrices
  # Products of matrices, without the transpositions of `tf.tensordot`.
  y = x
  if third is not None:
    y = tf.reshape(tf.matmul(tf.reshape(y, [-1, channels]), third, transpose_b=side == 1), x.shape)
  if second is not None:
    y = tf.matmul(second, y, transpose_a=side == 0)
  if first is not None:
    y = tf.reshape(tf.matmul(first, tf.reshape(y, [positions, -1]), transpose_a=side == 0), x.shape)
  return y


def _second_moment(x: tf.Tensor, axis: int) -> tf.Tensor:
  """Returns the products of an axis with itself, summed over the other two."""
  positions, _, channels = x.shape
  if axis == 0:
    rows = tf.reshape(x, [positions, -1])
    return tf.matmul(rows, rows, transpose_b=True)
  if axis == 1:
    return tf.reduce_sum(tf.matmul(x, x, transpose_b=True), 0)
  columns = tf.reshape(x, [-1, channels])
  return tf.matmul(columns, columns, transpose_a=True)
