import importlib.metadata
import subprocess
import sys

import gin
import pytest

from tfusq import catalogue, config, plugins
from tfusq.plugins import PluginError

BUILT_IN = {
  'tfusq.surrogates': [
    'AUN',
    'Round',
    'SGA',
    'SGAHard',
    'SHA',
    'SR',
    'SRA',
    'SUA',
    'SUAn',
    'UQi',
    'UQs',
  ],
  'tfusq.estimators': ['EP', 'PGE', 'STE'],
  'tfusq.schedules': ['Constant', 'Exponential', 'Linear', 'Piecewise'],
  'tfusq.entropy_models': ['Factorized', 'Gaussian', 'GaussianMixture', 'Laplacian'],
  'tfusq.models': ['Charm', 'Cheng', 'ELIC', 'MSContext', 'MSHyper'],
  'tfusq.transforms': ['Bottleneck', 'Convolutional', 'KLT', 'Light', 'Residual'],
  'tfusq.distortions': ['MSE', 'MSSSIM', 'WeightedSum'],
}


def test_the_built_in_plugins_are_found_like_anybodys():
  ours = [plugin for plugin in plugins.discover() if plugin.distribution == 'tfusq']
  for group, names in BUILT_IN.items():
    assert [plugin.name for plugin in ours if plugin.group == group] == names
  classes, errors = plugins.load_all()
  assert not errors
  assert all(cls.__name__ == plugin.name for plugin, cls in classes.items())


def test_listing_imports_neither_tensorflow_nor_any_plugin(distribution, tmp_path):
  distribution(
    'third',
    '1',
    '[tfusq.surrogates]\nThird = third_module:Third\n[tfusq.codecs]\nphoto = third_module\n',
    'third_module',
    'raise RuntimeError("imported")',
  )
  code = (
    'import sys\nfrom tfusq import cli as m\n'
    'm.main(m.parser().parse_args(["plugins"]))\n'
    'heavy = {"tensorflow", "gin", "third_module", "numpy", "PIL"} & set(sys.modules)\n'
    'assert not heavy, heavy'
  )
  result = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    env={'PYTHONPATH': str(tmp_path), 'PATH': ''},
  )
  assert result.returncode == 0, result.stderr
  assert 'third 1' in result.stdout and 'SUA' in result.stdout
  assert result.stdout.splitlines()[-1].split() == ['tfusq.codecs', 'photo', 'third', '1']


def test_a_third_partys_surrogate_is_loaded_by_name(distribution):
  distribution(
    'third',
    '2.5',
    '[tfusq.surrogates]\nThird = third_a:Third\n',
    'third_a',
    'import tfusq\nclass Third(tfusq.AUN):\n  "Mine."\n',
  )
  (plugin,) = plugins.claims('Third')
  assert plugin.origin == 'third 2.5'
  assert plugins.load([plugin]).__name__ == 'Third'
  assert catalogue.describe(plugins.claims('Third')) == ['Mine.', 'admits STE, PGE, EP']


def test_a_name_claimed_twice_costs_that_name_alone(distribution):
  distribution('other', '3.1', '[tfusq.surrogates]\nSUA = other_module:SUA\n')
  with pytest.raises(
    PluginError,
    match=r'SUA is claimed by .*other 3.1.*tfusq 0.1.0|'
    r'SUA is claimed by .*tfusq 0.1.0.*other 3.1',
  ):
    plugins.load(plugins.claims('SUA'))
  classes, errors = plugins.load_all()
  assert list(errors) == ['SUA']
  assert {plugin.name for plugin in classes if plugin.distribution == 'tfusq'} == {
    name for names in BUILT_IN.values() for name in names
  } - {'SUA'}
  assert catalogue.describe(plugins.claims('SUA'))[0].startswith('BROKEN')


def test_a_name_claimed_in_two_groups_is_a_clash(distribution):
  distribution('other', '1', '[tfusq.models]\nAUN = other_module:AUN\n')
  with pytest.raises(PluginError, match='tfusq.models'):
    plugins.load(plugins.claims('AUN'))


@pytest.mark.parametrize(
  'code, cause',
  [
    ('import no_such_module_anywhere', 'ModuleNotFoundError.*no_such_module_anywhere'),
    ('raise SystemExit("need a licence")', 'SystemExit: need a licence'),
    ('class Bad: pass', 'not a subclass of tfusq.quantization.base:Surrogate'),
    ('Bad = 3', 'not a subclass'),
    ('', 'AttributeError'),
    ('import tfusq\nclass Good(tfusq.AUN): pass\nBad = Good', 'name of its class, Good'),
  ],
)
def test_a_broken_plugin_costs_its_own_name_and_says_why(code, cause, distribution, request):
  module = f'broken_{abs(hash(code))}'
  distribution('broken', '0.3', f'[tfusq.surrogates]\nBad = {module}:Bad\n', module, code)
  with pytest.raises(PluginError, match=f'(?s)Bad of broken 0.3.*{cause}'):
    plugins.load(plugins.claims('Bad'))
  _, errors = plugins.load_all()
  assert list(errors) == ['Bad']


@pytest.mark.parametrize('name', ['my-surrogate', 'Codec', 'Adam'])
def test_a_name_that_gin_cannot_give_it_costs_that_plugin_only(name, distribution):
  distribution('odd', '1', f'[tfusq.surrogates]\n{name} = odd_{abs(hash(name))}:Odd\n')
  assert catalogue.describe(plugins.claims(name))[0].startswith('BROKEN')
  classes, errors = plugins.load_all()
  assert list(errors) == [name] and len(classes) >= 10


@pytest.fixture
def scans(monkeypatch):
  """Counts the passes over the installed distributions, from none known."""
  plugins.refresh()
  calls = []
  entry_points = importlib.metadata.entry_points
  monkeypatch.setattr(
    importlib.metadata,
    'entry_points',
    lambda **options: calls.append(options) or entry_points(**options),
  )
  return calls


def test_a_command_reads_the_installed_distributions_once(scans, cli, tmp_path):
  assert cli('plugins', '--details')[0] == 0
  assert len(scans) == 1
  plugins.refresh()
  assert cli('check', 'AUN')[0] == 0
  assert len(scans) == 2


def test_reading_gin_files_reads_the_installed_distributions_once(scans, monkeypatch):
  # gin takes each name once in a process.
  monkeypatch.setattr(gin, 'external_configurable', lambda *_, **__: None)
  # Nothing of it is to stay registered for the tests after this.
  monkeypatch.setattr(gin.config, '_FINALIZE_HOOKS', [])
  config.register.__wrapped__()
  config.recipe()
  assert len(scans) == 1


def test_an_unknown_name_lists_what_there_is():
  with pytest.raises(PluginError, match='no plugin Nope; available: .*SUA'):
    plugins.claims('Nope')


@pytest.mark.slow
def test_an_installed_distribution_appears_trains_and_disappears(tmp_path):
  """The README's plugin, with pip, in the environment that runs the tests."""
  from readme import plugin_files

  package = tmp_path / 'scratch'
  package.mkdir()
  for name, content in plugin_files().items():
    (package / name).write_text(content)

  def command(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)

  def listed():
    return 'Triangular       my-surrogates 0.1.0' in command('-m', 'tfusq', 'plugins').stdout

  assert not listed()
  command('-m', 'pip', 'install', '--no-deps', str(package))
  try:
    assert listed()
    from making import IMAGES

    trained = command(
      '-m',
      'tfusq',
      'train',
      '--model_dir',
      str(tmp_path / 'run'),
      '--gin_file',
      'quickstart.gin',
      *(
        f'--gin_bindings={binding}'
        for binding in (
          f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
          'train.steps = 2',
          'train.interval = 2',
          'Patches.patch_size = 64',
          'train.initialization_patches = 2',
          'distortion/Quantizer.surrogate = @Triangular()',
        )
      ),
    )
    assert 'step 2 of 2  loss ' in trained.stdout
    recipe = (tmp_path / 'run' / 'operative_config-0.gin').read_text()
    assert '# my-surrogates 0.1.0' in recipe and '@Triangular()' in recipe
    analyzed = command(
      '-m',
      'tfusq',
      'analyze',
      'information',
      'Triangular',
      'AUN',
      '--out',
      str(tmp_path / 'analyses'),
    ).stdout
    assert 'Triangular' in analyzed and (tmp_path / 'analyses' / 'information.png').exists()
  finally:
    command('-m', 'pip', 'uninstall', '-y', 'my-surrogates')
  assert not listed()
