"""Tests of tfusq-factorizedprior."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
import tfusq.testing
from tfusq_factorizedprior import FactorizedPrior


# Among the checks: files of several sizes decode to what the encoder reconstructs.
@tfusq.testing.conformance(
  FactorizedPrior(tfusq.Factorized(), 4, 6),
  FactorizedPrior(tfusq.Factorized(), 4, 6, synthesis=tfusq.Residual()),
)
def test_conformance(check):
  check()


def test_a_step_trains_every_variable():
  tf.keras.utils.set_random_seed(1)
  rounding = tfusq.Quantizer(tfusq.Round(), tfusq.STE())
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.EP())
  model = FactorizedPrior(tfusq.Factorized(), 4, 6, synthesis=tfusq.Residual())
  codec = tfusq.Codec(model, noise, rounding, noise, rounding, lmbda=0.01, zero_centre=False)
  codec.compile(tf.keras.optimizers.Adam(1e-3))

  before = [variable.numpy() for variable in codec.trainable_variables]
  images = np.random.default_rng(0).integers(0, 256, [2, 64, 64, 3], dtype=np.uint8)
  codec.train_step({'image': tf.constant(images), 'index': tf.constant([0, 1], tf.int64)})

  assert len(before) > 30
  for variable, old in zip(codec.trainable_variables, before):
    assert (variable.numpy() != old).any(), variable.name


def test_a_conditioned_entropy_model_is_refused():
  with pytest.raises(ValueError, match='FactorizedPrior.entropy_model'):
    FactorizedPrior(tfusq.Gaussian())
