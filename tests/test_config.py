import ast
import re
from pathlib import Path

import gin
import pytest
from absl import logging

from making import TINY, build_codec
from tfusq import Codec, config, versions
from tfusq.config import ConfigError
from tfusq.quantization.estimators import Undefined
from tfusq.transforms.residual import Attention


@pytest.mark.parametrize(
  'quantizers',
  sorted(
    path.name
    for path in Path(config.search_path()[0]).glob('quantizers/*.gin')
    if path.name not in ('pair.gin', 'hyperlatent.gin')
  ),
)
@pytest.mark.parametrize(
  'stage', ['joint', 'post', 'joint_minutes', 'post_minutes', 'joint_hour', 'post_hour']
)
def test_every_stage_and_pair_of_quantizers_builds(quantizers, stage):
  if stage.startswith('post'):
    quantizers = 'round_ste.gin'  # what the stage itself includes
  codec = build_codec(
    'LMBDA = 0.01',
    'Codec.zero_centre = True',
    'Patches.patch_size = 64',
    files=(
      'models/ms_hyper_small.gin',
      f'stages/{stage}.gin',
      f'quantizers/{quantizers}',
      'data/folder.gin',
    ),
  )
  assert isinstance(codec, Codec)
  assert codec.train_encoder == stage.startswith('joint')
  assert codec.model.entropy_models['y'].bound == (0.11 if stage.startswith('joint') else 1e-6)


# Class and centring of the paper's nine models, and of the one that starts as a transform coder.
MODELS = {
  'klt_hyper_zero': ('MSHyper', True),
  'ms_hyper': ('MSHyper', False),
  'ms_hyper_zero': ('MSHyper', True),
  'ms_context': ('MSContext', False),
  'cheng_anchor': ('Cheng', False),
  'cheng_attn': ('Cheng', False),
  'charm': ('Charm', False),
  'charm_zero': ('Charm', True),
  'elic_zero': ('ELIC', True),
  'elic_sm_zero': ('ELIC', True),
}


@pytest.mark.parametrize(
  'name', sorted(path.stem for path in Path(config.search_path()[0]).glob('models/*.gin'))
)
def test_every_model_builds_at_its_size(name):
  config.parse(
    [f'models/{name}.gin', 'stages/joint.gin', 'quantizers/aun_pge.gin', 'data/folder.gin'],
    [TINY[0], 'LMBDA = 0.01'],
    [],
  )
  codec = config.build_parameter('train.codec')
  cls, zero_centre = MODELS[name.removesuffix('_small')]
  assert type(codec.model).__name__ == cls and codec.centred_model.zero_centre['y'] == zero_centre
  mixture = type(codec.model.entropy_models['y']).__name__ == 'GaussianMixture'
  assert mixture == name.startswith('cheng')
  is_of_paper = not name.endswith('_small') and not name.startswith('klt')
  assert (codec.model.hyper_analysis.layers[-1].filters == 192) == is_of_paper
  attention = [layer for layer in codec.model.submodules if isinstance(layer, Attention)]
  assert len(attention) == 4 * (name.startswith(('cheng_attn', 'elic_zero')))


@pytest.mark.parametrize('analysis', [False, True])
@pytest.mark.parametrize('synthesis', [False, True])
def test_attention_is_chosen_separately_as_in_table_four(analysis, synthesis):
  codec = build_codec(
    'LMBDA = 0.01',
    f'analysis/Residual.attention = {analysis}',
    f'synthesis/Residual.attention = {synthesis}',
    files=(
      'models/ms_hyper_zero_small.gin',
      'transforms/residual.gin',
      'quantizers/aun_pge.gin',
      'stages/joint.gin',
      'data/folder.gin',
    ),
  )
  for name, wanted in (('analysis', analysis), ('synthesis', synthesis)):
    network = getattr(codec.model, name)
    assert any(isinstance(layer, Attention) for layer in network.submodules) == wanted


@pytest.mark.parametrize('stage, bound', [('joint', 0.11), ('post', 1e-6)])
@pytest.mark.parametrize(
  'path',
  sorted(Path(config.search_path()[0]).glob('entropy_models/*.gin')),
  ids=lambda path: path.stem,
)
def test_every_entropy_model_takes_the_stages_bound(path, stage, bound):
  codec = build_codec(
    'LMBDA = 0.01',
    'Codec.zero_centre = False',
    files=(
      'models/ms_hyper_small.gin',
      f'entropy_models/{path.name}',
      f'stages/{stage}.gin',
      'quantizers/round_ste.gin',
      'data/folder.gin',
    ),
  )
  entropy_model = codec.model.entropy_models['y']
  assert type(entropy_model).__name__.lower() == path.stem.replace('_', '')
  assert entropy_model.bound == bound


def test_a_row_of_a_table_is_a_few_lines():
  codec = build_codec('rate/Quantizer.surrogate = @AUN()', 'rate/Quantizer.estimator = @PGE()')
  rate, distortion = codec.quantizers['y']
  assert type(rate.surrogate).__name__ == 'AUN' and type(rate.estimator).__name__ == 'PGE'
  assert type(distortion.surrogate).__name__ == 'SUA'
  assert float(distortion.surrogate.alpha(float)) == 1.0


@pytest.mark.parametrize(
  'binding, named',
  [
    ('SUA.aplha = 3', 'aplha'),
    ('NoSuch.thing = 1', 'NoSuch'),
    ('rate/Quantizer.surrogate = @Missing()', 'Missing'),
    ('Codec.lmbda =', 'Codec.lmbda'),
  ],
)
def test_what_gin_cannot_parse_is_named(binding, named):
  with pytest.raises(ConfigError, match=named):
    build_codec(binding)


def test_a_missing_required_value_is_named():
  with pytest.raises(ConfigError, match='TRAIN_IMAGES.*not subsequently overridden'):
    config.parse(['quickstart.gin'], [], [])


def test_an_undefined_pair_keeps_its_type_and_gains_its_place():
  with pytest.raises(ConfigError, match='PGE differentiates.*use STE.*rate') as caught:
    build_codec('rate/Quantizer.surrogate = @Round()', 'rate/Quantizer.estimator = @PGE()')
  assert isinstance(caught.value.__cause__, Undefined)
  assert '<' not in str(caught.value)


@pytest.mark.parametrize(
  'binding, named',
  [
    ('Codec.rate = 3', 'Codec.rate must be a Quantizer'),
    ('Codec.model = @Gaussian()', 'Codec.model must be a Model'),
    ('MSHyper.entropy_model = @SUA()', 'MSHyper.entropy_model must be an EntropyModel'),
    ('MSHyper.filters = 3.5', 'MSHyper.filters must be an integer, not 3.5'),
    ('MSHyper.filters = -4', 'MSHyper.filters must be a positive integer'),
    ('Patches.batch_size = "8"', 'Patches.batch_size must be an integer'),
    ('Patches.cache_bytes = None', 'Patches.cache_bytes must be an integer'),
    ('Patches.folder = 3', 'Patches.folder must be a text'),
    ('train.steps = 1e30', 'train.steps must be an integer'),
    ('train.interval = True', 'train.interval must be an integer'),
    ('Codec.zero_centre = "False"', 'Codec.zero_centre must be True or False'),
    ('Codec.lmbda = 1e999', 'Codec.lmbda must be a finite number'),
    ('LMBDA = "0.1"', 'Codec.lmbda must be a finite number'),
    ('SUA.alpha = -1e999', 'SUA.alpha must be a finite number'),
    ('Adam.clipnorm = "x"', 'Adam.clipnorm must be a finite number'),
    ('Adam.learning_rate = -1', 'Adam.learning_rate must not be negative'),
    ('Adam.beta_2 = 1.5', 'Adam.beta_2 must be less than 1'),
    ('PiecewiseConstantDecay.values = (1e-3, None, 1e-5)', r'values\[1\] must be a finite number'),
    ('PiecewiseConstantDecay.boundaries = (4.5, 8)', r'boundaries\[0\] must be an integer'),
    ('PiecewiseConstantDecay.boundaries = 4', 'boundaries must be a list'),
    ('CosineDecay.decay_steps = 0.5', 'CosineDecay.decay_steps must be an integer'),
    ('CosineDecay.alpha = -1.0', 'CosineDecay.alpha must not be negative'),
    ('SUA.alpha = -1.0', 'positive number'),
  ],
)
def test_a_value_of_the_wrong_kind_is_named(binding, named):
  with pytest.raises(ConfigError, match=named):
    build_codec(binding)


@pytest.mark.parametrize('seed', ['"x"', '-1', '1.5', '99999999999'])
def test_a_seed_that_is_none_is_refused(seed):
  with pytest.raises(ConfigError, match='Codec.seed must be an integer'):
    config.parse(['quickstart.gin'], [*TINY, f'SEED = {seed}'], [])
    config.build('train')


@pytest.mark.parametrize(
  'binding, parameter, value',
  [
    ('MSHyper.filters = 4e0', 'MSHyper.filters', 4),
    ('SEED = 3.0', 'Codec.seed', 3),
    ('train/Patches.seed = 2.', 'train/Patches.seed', 2),
    ('PiecewiseConstantDecay.boundaries = [4e0, 8]', 'PiecewiseConstantDecay.boundaries', [4, 8]),
  ],
)
def test_a_whole_float_is_the_integer_that_is_wanted(binding, parameter, value):
  build_codec(binding)
  found = config.build_parameter(parameter)
  assert found == value
  items = found if isinstance(found, list) else [found]
  assert all(type(item) is int for item in items)


@pytest.mark.parametrize('value', ["'a.gin'", "['a.gin', 'b.gin']", '[]'])
def test_one_text_or_several_are_taken_where_both_may_be(value):
  config.parse([], [f'Sweep.common = {value}'], [])
  assert config.build_parameter('Sweep.common') == ast.literal_eval(value)


def test_what_is_neither_of_two_kinds_is_named():
  with pytest.raises(ConfigError, match='Sweep.common must be a text in quotes, not 3'):
    config.parse([], ['Sweep.common = 3'], [])


def test_a_float_stays_what_it_is():
  build_codec('Linear.end = 12.0')
  assert type(config.build_parameter('Linear.end')) is float


def test_a_plugins_own_bug_keeps_its_traceback(monkeypatch):
  def bug(*args, **kwargs):
    return int('x')

  config.parse(['quickstart.gin'], TINY, [])
  monkeypatch.setattr(Codec, 'test_step', bug)
  with pytest.raises(ValueError, match='invalid literal') as caught:
    config.build('train')(model_dir='unused', recipe=config.recipe, dry_run=True)
  assert not isinstance(caught.value, ConfigError)


def test_a_refused_value_is_one_message():
  with pytest.raises(ConfigError, match='Codec.lmbda must be positive'):
    build_codec('Codec.lmbda = -1')


def test_a_broken_plugin_says_its_cause_when_a_configuration_names_it():
  error = config.plugins.PluginError('the plugin Snapped of broken 0.3 is broken: boom')
  with gin.unlock_config():
    gin.external_configurable(config._raiser(error), name='Snapped', module='tfusq.broken')
  with pytest.raises(config.plugins.PluginError, match='broken 0.3 is broken: boom'):
    build_codec('rate/Quantizer.surrogate = @Snapped()', 'Snapped.power = 2')


def test_bindings_that_nothing_reads_are_warned_of(monkeypatch):
  warnings = []
  monkeypatch.setattr(logging, 'warning', lambda text, *args: warnings.append(text % args))
  build_codec('AUN.name = "x"', 'nowhere/Linear.end = 3.', 'SEDE = 7')
  recipe = config.recipe()
  assert any('nowhere/Linear.end' in warning for warning in warnings)
  assert any('SEDE' in warning for warning in warnings)
  assert not any('SUA.alpha' in warning or 'LMBDA' in warning for warning in warnings)
  for name, version in versions.installed('gin-config').items():
    assert f'# {name} {version}\n' in recipe
  assert 'Codec.zero_centre = True' in recipe


def test_a_recipe_names_only_arguments_that_every_version_has():
  """Else a run that began under one TensorFlow would be another run under the next."""
  build_codec()
  config.build_parameter('train.optimizer')
  named = set(re.findall(r'^Adam\.(\w+) = ', config.recipe(), re.MULTILINE))
  of_2_14 = {'amsgrad', 'beta_1', 'beta_2', 'clipnorm', 'clipvalue', 'ema_momentum', 'epsilon'}
  of_2_14 |= {'ema_overwrite_frequency', 'global_clipnorm', 'jit_compile', 'learning_rate', 'name'}
  assert named == of_2_14 | {'use_ema', 'weight_decay'}


@pytest.mark.usefixtures('eagerly')
def test_a_recipe_builds_the_same_again(tmp_path):
  def build():
    config.build('train')(model_dir='unused', recipe=config.recipe, dry_run=True)
    return config.recipe()

  config.parse(['quickstart.gin'], [*TINY, 'Codec.lmbda = 0.123'], [])
  first = build()
  assert 'Codec.lmbda = 0.123' in first
  (tmp_path / 'recipe.gin').write_text(first)
  config.parse([str(tmp_path / 'recipe.gin')], [], [])
  assert build() == first
