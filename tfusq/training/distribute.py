"""Data-parallel training: replicas on devices or machines that compute one run together.

A batch is divided into equal shares and the noise is a function of each image's number, so that all
replicas together compute what one with the whole batch does, up to the order of sums.
"""

import contextlib
import tempfile
import zlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

from tfusq.training.patches import Patches


def distribute(strategy: tf.distribute.Strategy) -> contextlib.AbstractContextManager:
  """Returns the scope in which everything is to be built and trained.

  Args:
    strategy: Strategy that keeps replicas equal, on the devices of one or several machines.

  Raises:
    TypeError: if it is no strategy.
  """
  if not isinstance(strategy, tf.distribute.Strategy):
    raise TypeError(f'distribute.strategy must be a Strategy, not {strategy!r}')
  return strategy.scope()


def batches(patches: Patches, start: int = 0) -> tf.data.Dataset | tf.distribute.DistributedDataset:
  """Returns batches without end, divided between the replicas in scope.

  Args:
    patches: Patches; a batch holds those of all replicas.
    start: Number of the first batch.
  """
  return tf.distribute.get_strategy().distribute_datasets_from_function(
    lambda context: patches.dataset(start, context)
  )


def agree(text: str) -> bool:
  """Waits for all workers in scope, and returns whether they all gave the same text."""
  strategy = tf.distribute.get_strategy()
  # Workers exchange tensors of equal shape; a checksum stands for the text.
  checksum = tf.constant([zlib.crc32(text.encode())], tf.int64)
  gather = tf.function(lambda: tf.distribute.get_replica_context().all_gather(checksum, 0))
  checksums = strategy.experimental_local_results(strategy.run(gather))[0]
  return bool(tf.reduce_all(checksums == checksum))


def mean_of_replicas(values: list[tf.Tensor]) -> list[tf.Tensor]:
  """Returns means over the replicas, which hold equal shares of a batch; called by each of them."""
  context = tf.distribute.get_replica_context()
  return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)


def copy_from_chief(variables: Sequence[tf.Variable]) -> None:
  """Gives variables the values that the chief has, on all workers in scope.

  Args:
    variables: Variables, of equal number and shapes on all workers.
  """
  strategy = tf.distribute.get_strategy()
  if strategy.num_replicas_in_sync == 1:
    return

  def sum_of_one(values):
    context = tf.distribute.get_replica_context()
    is_chief = tf.equal(context.replica_id_in_sync_group, 0)
    own = [tf.where(is_chief, value, tf.zeros_like(value)) for value in values]
    return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

  values = [variable.numpy() for variable in variables]
  for variable, value in zip(variables, strategy.run(tf.function(sum_of_one), (values,))):
    variable.assign(strategy.experimental_local_results(value)[0])


@contextlib.contextmanager
def own_folder(model_dir: str) -> Iterator[str]:
  """Yields the folder that this worker writes to: the chief `model_dir`, others a temporary one.

  All of them write, since saving a variable may need all of them.

  Args:
    model_dir: Run directory, which the workers share.
  """
  if tf.distribute.get_strategy().extended.should_checkpoint:
    yield model_dir
  else:
    with tempfile.TemporaryDirectory() as folder:
      yield folder
