import numpy as np
import pytest
import tensorflow as tf

from making import TINY, build_small, contents, make_codec, make_patches, move
from tfusq import config
from tfusq.export import saved_model
from tfusq.training import train
from tfusq.training.execution import PRECISIONS, compiles, execution
from tfusq.training.recipes import TrainingError
from tfusq.transforms.pixels import from_uint8

SIXTEEN_BITS = PRECISIONS[1:]
# Of the first loss, relative to float32's: factors are rounded to 2^-9 and 2^-12 of their value.
TOLERANCES = {'mixed_bfloat16': 0.01, 'mixed_float16': 0.002}
# The residual transforms of these have three times as many layers as others.
DEEP = 'cheng'
# Of a compiled step: sums in another order.
COMPILED = 1e-4


def first_losses(model, batch):
  """Returns the first loss with each precision."""
  losses = {}
  for precision in PRECISIONS:
    with execution(precision):
      codec = build_small(model)
    move(codec)
    assert {variable.dtype for variable in codec.model.variables} == {tf.float32}
    losses[precision] = float(codec.soft(from_uint8(batch['image']), batch['index']).loss)
  return losses


@pytest.mark.parametrize('model', ['ms_context'])
def test_the_first_loss_is_that_of_float32_up_to_rounding(model, batch):
  losses = first_losses(model, batch)
  for precision, tolerance in TOLERANCES.items():
    if model.startswith(DEEP):
      tolerance *= 3
    assert losses[precision] == pytest.approx(losses['float32'], rel=tolerance)
    assert losses[precision] != losses['float32']  # it did compute otherwise


@pytest.mark.slow
@pytest.mark.parametrize(
  'model', ['ms_hyper', 'charm_zero', 'cheng_anchor', 'cheng_attn', 'elic_sm_zero', 'elic_zero']
)  # zero-centre or not is the same for networks
def test_the_first_loss_of_the_other_models_is_that_of_float32_too(model, batch):
  test_the_first_loss_is_that_of_float32_up_to_rounding(model, batch)


def test_nothing_of_it_is_left_after_it():
  with pytest.raises(ZeroDivisionError), execution('mixed_float16', jit_compile=True):
    assert compiles()
    raise ZeroDivisionError
  assert not compiles() and tf.keras.mixed_precision.global_policy().name == 'float32'


def test_gin_binds_it_and_recipes_of_others_do_not_mention_it(cli, tmp_path):
  arguments = ['--gin_file', 'quickstart.gin', '--dry_run', '--model_dir', tmp_path / 'run']
  for binding in (*TINY, 'execution.precision = "bfloat16"'):
    arguments += ['--gin_bindings', binding]
  code, _, err = cli('train', *arguments)
  assert code == 1
  assert 'execution.precision must be one of float32, mixed_bfloat16, mixed_float16' in err

  config.parse(['quickstart.gin', 'execution/mixed_bfloat16.gin'], TINY, [])
  with config.execution():
    assert tf.keras.mixed_precision.global_policy().name == 'mixed_bfloat16'
  assert 'execution.precision' in config.recipe()
  config.parse(['quickstart.gin'], TINY, [])
  with config.execution():
    assert 'execution' not in config.recipe()


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_run_in_float16_resumes_bit_for_bit_and_its_scale_with_it(tmp_path):
  def run(folder, steps, most):
    with execution('mixed_float16'):
      codec = make_codec(4, 6)
      codec.loss_scale.scale.assign(2.0**60)  # a new run's; too large for the first steps
      optimizer = tf.keras.optimizers.Adam(1e-3)
      train.train(
        str(folder),
        lambda: f'train.steps = {most}\n',
        codec,
        optimizer,
        make_patches(),
        steps=steps,
        interval=1,
      )
    return codec

  run(tmp_path / 'one', 2, 2)
  run(tmp_path / 'two', 1, 1)
  codec = run(tmp_path / 'two', 2, 2)
  one, two = contents(tmp_path / 'one'), contents(tmp_path / 'two')
  assert one.keys() == two.keys() and any('loss_scale/scale' in name for name in one)
  for name, value in one.items():
    np.testing.assert_array_equal(value, two[name], err_msg=name)
  assert codec.loss_scale.scale == 2.0**58
  assert int(codec.optimizer.iterations) == 2  # skipped steps count

  with pytest.raises(saved_model.ExportError, match='compute in float16: export the run'):
    saved_model.export(codec.centred_model, tmp_path / 'codec', {})


@pytest.mark.long
def test_a_compiled_loss_is_the_plain_one_up_to_rounding(batch):
  """With a variable rate, which has all that a fixed one has."""
  codec = build_small('ms_hyper', 'Codec.variable_rate = @VariableRate()')
  move(codec)

  def soft(x, index):
    return codec.soft(x, index, codec.training_target(index))

  arguments = from_uint8(batch['image']), batch['index']
  plain, compiled = soft(*arguments), tf.function(soft, jit_compile=True)(*arguments)
  for name in ('loss', 'bpp', 'mse'):
    found, expected = float(getattr(compiled, name)), float(getattr(plain, name))
    assert found == pytest.approx(expected, rel=COMPILED)


@pytest.mark.parametrize('precision', SIXTEEN_BITS)
def test_gains_are_float32_around_networks_of_less_precision(precision, batch):
  x, index = from_uint8(batch['image']), batch['index']
  with execution(precision):
    codec = build_small('ms_hyper', 'Codec.variable_rate = @VariableRate()')
    move(codec)
    target = codec.training_target(index)
    y = codec.centred_model.at(target.gains).latents(x)['y']
    terms = codec.soft(x, index, target)
  dtypes = {y.dtype, terms.loss.dtype, *(gain.dtype for gain in target.gains)}
  assert dtypes == {tf.float32}
  plain = tf.cast(codec.model.latents(x)['y'], tf.float32)
  np.testing.assert_array_equal(y, plain * target.gains.gain)
  assert np.isfinite(float(terms.loss))


@pytest.mark.slow
@pytest.mark.parametrize(
  'model', ['ms_hyper', 'ms_context', 'charm_zero', 'cheng_attn', 'elic_zero']
)
def test_a_compiled_step_of_every_model_is_the_plain_one_up_to_rounding(model, batch):
  """Compares terms, norms and weights after a step; one trace serves both."""
  codec = build_small(model)
  move(codec)
  codec.compile(tf.keras.optimizers.SGD(1e-4))
  codec.optimizer.build(codec.trainable_variables)
  state = [*codec.variables, *codec.optimizer.variables]
  before = [variable.numpy() for variable in state]
  plain = tf.function(codec.train_step)

  outcomes = []
  for step in (plain, tf.function(lambda data: plain(data), jit_compile=True)):
    for variable, value in zip(state, before, strict=True):
      variable.assign(value)
    terms = {name: float(value) for name, value in step(batch).items()}
    outcomes.append((terms, [variable.numpy() for variable in codec.trainable_variables]))

  (terms, weights), (compiled_terms, compiled_weights) = outcomes
  assert compiled_terms == pytest.approx(terms, rel=COMPILED)
  for value, compiled_value in zip(weights, compiled_weights, strict=True):
    np.testing.assert_allclose(compiled_value, value, atol=COMPILED * np.abs(value).max())


def test_several_devices_are_not_compiled(tmp_path, monkeypatch):
  class Two:
    num_replicas_in_sync = 2

  monkeypatch.setattr(tf.distribute, 'get_strategy', lambda: Two)
  with (
    execution(jit_compile=True),
    pytest.raises(TrainingError, match='jit_compile is for one device, and there are 2 replicas'),
  ):
    train.train(
      str(tmp_path),
      lambda: '',
      make_codec(),
      tf.keras.optimizers.Adam(),
      make_patches(),
      steps=1,
      interval=1,
    )
