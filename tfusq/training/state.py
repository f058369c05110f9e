"""What a run's checkpoint holds beside the networks: the optimizer, averages and watches."""

import tensorflow as tf
from absl import logging

from tfusq.training import checkpoints, transfer
from tfusq.training.codec import Codec


def state_of(codec: Codec) -> dict[str, object]:
  """Returns what a checkpoint of a codec in training holds, by its name there.

  Args:
    codec: Compiled codec.
  """
  state: dict[str, object] = {**codec.centred_model.weights()}
  state |= {'optimizer': codec.optimizer, 'divergence': codec.divergence}
  if codec.loss_scale:
    state['loss_scale'] = codec.loss_scale
  if codec.averages:
    state['averages'] = codec.averages.others
  return state


def restore(codec: Codec, model_dir: str, step: int) -> None:
  """Puts a codec where its run was at a step.

  Args:
    codec: Compiled codec of the run's recipe, with averages if the run has them.
    model_dir: Run directory.
    step: Step of the checkpoint.

  Raises:
    TransferError: if the checkpoint does not fit or is damaged.
  """
  state = state_of(codec)
  with transfer.restoring(model_dir, step) as path:
    stored = {name.split('/')[0] for name in checkpoints.reader(path).get_variable_to_shape_map()}
    if 'divergence' not in stored:  # as before there was a watch for it
      state = {name: value for name, value in state.items() if name != 'divergence'}
    tf.train.Checkpoint(**state).restore(path).assert_consumed()
  logging.info('resuming from %s', checkpoints.path_of(model_dir, step))

  # A checkpoint holds the averages in the place of the weights.
  if codec.averages:
    codec.averages.exchange()
  # A fork's optimizer counts the steps of its trunk too.
  codec.begin_at(int(codec.optimizer.iterations.numpy()) - step)
