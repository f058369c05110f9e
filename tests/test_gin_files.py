from pathlib import Path

import gin
import pytest
from absl import logging

from making import TINY, build_codec
from tfusq import config
from tfusq.config import ConfigError

MODEL, LAPLACIAN = 'models/ms_hyper_small.gin', 'entropy_models/laplacian.gin'
TRAINING = ('stages/joint.gin', 'quantizers/aun_pge.gin', 'data/folder.gin')


def write(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


def test_the_gin_files_are_found_and_do_not_shadow_gin_config():
  folder = Path(config.search_path()[0])
  assert (folder / 'quickstart.gin').is_file()
  assert not (folder / '__init__.py').exists()
  assert hasattr(gin, 'external_configurable')


def test_a_file_that_is_nowhere_is_named_with_where_it_was_sought():
  with pytest.raises(ConfigError, match='no gin file absent.gin; searched here, .*gin'):
    config.parse(['absent.gin'], [], [])


@pytest.fixture
def warnings(monkeypatch):
  """Texts that are warned of."""
  texts = []
  monkeypatch.setattr(logging, 'warning', lambda text, *args: texts.append(text % args))
  return texts


def test_a_value_of_many_lines_is_read_and_unread(warnings):
  steps = ', '.join(f'{step}' for step in range(100, 2000, 50))
  build_codec(f'Piecewise.boundaries = [{steps}]', 'MSHyper.filters = 4')
  config.recipe()
  assert [text for text in warnings if 'Piecewise.' in text] == [
    'the binding Piecewise.boundaries is not used'
  ]
  assert not any('MSHyper' in text for text in warnings)


def test_a_file_that_a_later_one_overrides_unseen_is_warned_of(warnings):
  config.parse([LAPLACIAN, MODEL, *TRAINING], ['LMBDA = 0.01', *TINY], [])
  assert warnings == [
    'models/ms_hyper_small.gin includes entropy_models/gaussian.gin, which binds the macro '
    'ENTROPY_MODEL to @Gaussian() instead of @Laplacian() as entropy_models/laplacian.gin does; '
    'give entropy_models/laplacian.gin after models/ms_hyper_small.gin if that is to count'
  ]


@pytest.mark.parametrize(
  'files',
  [
    (MODEL, LAPLACIAN, *TRAINING),
    ('entropy_models/gaussian.gin', MODEL, *TRAINING),
    ('quickstart.gin', 'data/folder_and_validation.gin'),
    (MODEL, 'transforms/residual.gin', *TRAINING),
  ],
)
def test_a_file_that_is_given_to_override_is_not_warned_of(files, warnings):
  config.parse(list(files), ['LMBDA = 0.01', 'VALIDATION_IMAGES = "there"', *TINY], [])
  assert warnings == []


@pytest.mark.parametrize('package', ['', 'models/__init__.py'])
def test_included_files_are_found_whatever_packages_are_named_like_their_folder(
  package, tmp_path, monkeypatch
):
  write(tmp_path / 'models' / 'ms_hyper.gin', 'MSHyper.filters = 99')
  if package:
    write(tmp_path / package, 'raise RuntimeError("imported")')
  monkeypatch.syspath_prepend(str(tmp_path))
  build_codec()  # quickstart.gin includes klt_hyper_zero.gin, and that two others of `models/`
  assert config.build_parameter('MSHyper.latent_channels') == 6
  with pytest.raises(ConfigError, match='does not bind Sweep.seeds'):
    config.build_parameter('Sweep.seeds')
  config.parse(['models/ms_hyper.gin'], ['BOUND = 0.11'], [])
  assert config.build_parameter('MSHyper.filters') != 99


def test_an_error_names_file_and_line_behind_an_include(tmp_path):
  write(
    tmp_path / 'mine.gin',
    "# first\ninclude 'models/ms_hyper_small.gin'\nMSHyper.filters = 4\nMSHyper.nothing = 1\n",
  )
  write(tmp_path / 'outer.gin', f"include '{tmp_path / 'mine.gin'}'\n")
  with pytest.raises(ConfigError, match='(?s)outer.gin: .*nothing.*mine.gin.* line 4'):
    config.parse([str(tmp_path / 'outer.gin')], [], [])
  write(tmp_path / 'mine.gin', 'MSHyper.filters = 4\nMSHyper.filters = =\n')
  with pytest.raises(ConfigError, match='mine.gin.* 2'):
    config.parse([str(tmp_path / 'mine.gin')], [], [])


def test_what_stands_behind_an_include_counts(tmp_path):
  write(
    tmp_path / 'mine.gin',
    "MSHyper.filters = 5\ninclude 'models/ms_hyper_small.gin'\nMSHyper.latent_channels = 7\n",
  )
  config.parse([str(tmp_path / 'mine.gin')], ['BOUND = 0.11'], [])
  assert config.build_parameter('MSHyper.filters') not in (5, 99)
  assert config.build_parameter('MSHyper.latent_channels') == 7


def write_cycle(folder, length):
  """Writes files of which each includes the next, and the last the first."""
  for number in range(length):
    write(folder / f'{number}.gin', f"include '{folder / str((number + 1) % length)}.gin'\n")
  return str(folder / '0.gin')


@pytest.mark.parametrize('length', [1, 2, 300])
def test_a_file_that_includes_itself_is_named_in_one_line(length, tmp_path):
  first = write_cycle(tmp_path, length)
  for files, statements in (([first], []), ([], [f"include '{first}'"])):
    with pytest.raises(ConfigError, match=r'includes itself: .*0\.gin includes') as caught:
      config.parse(files, statements, [])
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 1000


def test_a_file_that_is_included_twice_is_no_cycle(tmp_path):
  write(tmp_path / 'shared.gin', 'MSHyper.filters = 4\n')
  shared = f"include '{tmp_path / 'shared.gin'}'\n"
  write(tmp_path / 'one.gin', shared)
  write(tmp_path / 'two.gin', f"include '{tmp_path / 'one.gin'}'\n{shared}")
  config.parse([str(tmp_path / 'two.gin')], [], [])
  assert config.build_parameter('MSHyper.filters') == 4


@pytest.mark.parametrize('content', [b'\xff\xfe\x00', b'MSHyper.filters = ' + b'[' * 5000])
def test_a_file_that_is_no_text_of_gin_is_named_in_one_line(content, tmp_path):
  path = tmp_path / 'broken.gin'
  path.write_bytes(content)
  with pytest.raises(ConfigError, match='broken.gin') as caught:
    config.parse([str(path)], [], [])
  assert '\n' not in str(caught.value) and len(str(caught.value)) < 1000
