import numpy as np
import pytest
import tensorflow as tf

import tfusq
import tfusq.testing
from tfusq.export import container, saved_model
from tfusq_factorizedprior import FactorizedPrior


@tfusq.testing.conformance(FactorizedPrior(tfusq.Factorized(), 4, 6))
def test_conformance(check):
  check()


@pytest.fixture(scope='module')
def codec():
  tf.keras.utils.set_random_seed(1)
  rounding = tfusq.Quantizer(tfusq.Round(), tfusq.STE())
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.EP())
  codec = tfusq.Codec(
    FactorizedPrior(tfusq.Factorized(), 4, 6, synthesis=tfusq.Residual()),
    noise,
    rounding,
    noise,
    rounding,
    lmbda=0.01,
    zero_centre=False,
  )
  codec.compile(tf.keras.optimizers.Adam(1e-3))
  return codec


def test_a_step_trains_every_variable(codec):
  before = [variable.numpy() for variable in codec.trainable_variables]
  codec.train_step(
    {
      'image': tf.constant(
        np.random.default_rng(0).integers(0, 256, [2, 64, 64, 3], dtype=np.uint8)
      ),
      'index': tf.constant([0, 1], tf.int64),
    }
  )
  assert len(before) > 30
  assert all(
    (variable.numpy() != old).any() for variable, old in zip(codec.trainable_variables, before)
  )


@pytest.mark.parametrize('height, width', [(1, 1), (17, 23), (64, 96)])
def test_its_files_decode_to_what_the_encoder_reconstructs(codec, height, width):
  codec.model.analysis.layers[-1].bias.assign(np.linspace(-9, 9, 6))
  module = saved_model.CodecModule(codec.centred_model)
  image = np.random.default_rng(1).integers(0, 256, [height, width, 3], dtype=np.uint8)
  result = module.evaluate(image)
  np.testing.assert_array_equal(module.decompress(result['data']), result['reconstruction'])
  header = container.read_header(result['data'].numpy())
  assert header.parts == 0 and len(header.sections) == 1
  assert abs(8 * header.sections[0] - float(result['bits'][0])) < 40


def test_a_conditioned_entropy_model_is_refused():
  with pytest.raises(ValueError, match='FactorizedPrior.entropy_model'):
    FactorizedPrior(tfusq.Gaussian())
