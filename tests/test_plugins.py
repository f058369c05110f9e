import importlib
import subprocess
import sys

import pytest

from tfusq import catalogue, plugins
from tfusq.cli import plugins as plugin_commands
from tfusq.plugins import PluginError
from tfusq.quantization.surrogates import Surrogate

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
  'tfusq.transforms': ['Bottleneck', 'Convolutional', 'Residual'],
}


@pytest.fixture
def distribution(tmp_path, monkeypatch):
  """Makes an installed distribution of a dist-info folder and a module on the path."""
  monkeypatch.syspath_prepend(str(tmp_path))

  def make(name, version, entry_points, module='', code=''):
    info = tmp_path / f'{name}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    (info / 'entry_points.txt').write_text(entry_points)
    if module:
      (tmp_path / f'{module}.py').write_text(code)
    importlib.invalidate_caches()

  return make


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
    '[tfusq.surrogates]\nThird = third_module:Third\n',
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
  assert catalogue.describe('Third') == ['Mine.', 'admits STE, PGE, EP']


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
  assert catalogue.describe('SUA')[0].startswith('BROKEN')


def test_a_name_claimed_in_two_groups_is_a_clash(distribution):
  distribution('other', '1', '[tfusq.models]\nAUN = other_module:AUN\n')
  with pytest.raises(PluginError, match='tfusq.models'):
    plugins.load(plugins.claims('AUN'))


@pytest.mark.parametrize(
  'code, cause',
  [
    ('import no_such_module_anywhere', 'ModuleNotFoundError.*no_such_module_anywhere'),
    ('raise SystemExit("need a licence")', 'SystemExit: need a licence'),
    ('class Bad: pass', 'not a subclass of tfusq.quantization.surrogates:Surrogate'),
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
  assert catalogue.describe(name)[0].startswith('BROKEN')
  classes, errors = plugins.load_all()
  assert list(errors) == [name] and len(classes) >= 10


def test_the_reserved_names_are_those_that_are_registered():
  from tfusq import config

  assert set(plugins.RESERVED) == {
    configurable.__name__ for group in config._CORE.values() for configurable in group
  } | set(config._STRATEGIES)


def test_an_odd_class_costs_its_own_details_only(distribution):
  distribution(
    'odd',
    '1',
    '[tfusq.surrogates]\nOdd = odd_b:Odd\n',
    'odd_b',
    'from __future__ import annotations\nimport tfusq\n'
    'class Odd(tfusq.AUN):\n  differentiable = property(lambda self: True)\n'
    '  def __init__(self, heat: float | tfusq.Schedule):\n    pass\n',
  )
  assert catalogue.describe('Odd')[0].startswith('BROKEN: TypeError')
  distribution(
    'fine',
    '1',
    '[tfusq.surrogates]\nFine = fine_b:Fine\n',
    'fine_b',
    'from __future__ import annotations\nimport tfusq\nclass Fine(tfusq.AUN):\n'
    '  def __init__(self, heat: float | tfusq.Schedule):\n    pass\n',
  )
  assert catalogue.describe('Fine') == ['no docstring', 'admits STE, PGE, EP', 'temperatures: heat']


def test_a_plugin_that_needs_more_than_temperatures_costs_its_own_row_and_check(
  distribution, capsys
):
  distribution(
    'odd',
    '1',
    '[tfusq.surrogates]\nPicky = odd_c:Picky\nRaises = odd_c:Raises\n',
    'odd_c',
    'import tfusq\nclass Picky(tfusq.AUN):\n  def __init__(self, levels):\n'
    '    super().__init__()\nclass Raises(tfusq.AUN):\n  def secant(self, y):\n'
    '    raise RuntimeError("no secant today")\n',
  )
  table = catalogue.pairs()
  assert '| AUN | rate |' in table and 'Picky is not built: TypeError' in table
  surrogates, left_out = catalogue.build_all(Surrogate)
  assert {'SUA', 'Raises'} <= {type(surrogate).__name__ for surrogate in surrogates}
  assert len(left_out) == 1 and left_out[0].startswith('Picky is not built: TypeError')
  from tfusq import cli as m

  with pytest.raises(PluginError, match='Raises fails [2-9] checks'):
    plugin_commands.check(m.parser().parse_args(['check', 'Raises']))
  out = capsys.readouterr().out
  assert 'FAILED  is_finite: RuntimeError: no secant today' in out
  assert 'passed  shifts_by_integers' in out


def test_an_unknown_name_lists_what_there_is():
  with pytest.raises(PluginError, match='no plugin Nope; there are: .*SUA'):
    plugins.claims('Nope')


def test_details_say_what_is_admitted():
  assert 'admits STE' in catalogue.describe('Round')
  assert catalogue.describe('SUA')[1:] == ['admits STE, PGE, EP', 'temperatures: alpha']
  assert 'for the rate only' in catalogue.describe('EP')
  assert any('zero-centre' in line for line in catalogue.describe('Gaussian'))


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
          'distortion/Quantizer.surrogate = @Triangular()',
        )
      ),
    )
    assert 'loss:' in trained.stdout
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
