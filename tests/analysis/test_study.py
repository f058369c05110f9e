import math

import numpy as np
import pytest

import tfusq
from tfusq import files, plugins
from tfusq.analysis import study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import AnalysisError, Study


def test_a_surrogate_is_named_with_or_without_its_temperatures():
  named = study.surrogates(['AUN', 'SUA(alpha=7)', 'SGA'])
  of_sga = [f'SGA(tau={value:g})' for value in tfusq.SGA.typical_temperatures]
  assert [study.label(surrogate) for surrogate in named] == ['AUN', 'SUA(alpha=7)', *of_sga]


def test_without_names_all_that_are_registered_are_taken():
  registered, _ = study.registered_surrogates()
  assert {type(surrogate).__name__ for surrogate in registered} >= {
    'Round',
    'AUN',
    'UQs',
    'UQi',
    'SHA',
    'SGA',
    'SGAHard',
    'SUA',
    'SUAn',
    'SR',
    'SRA',
  }


@pytest.mark.parametrize(
  'name, reason',
  [
    ('SUA(5)', 'NAME or NAME'),
    ('SUA(alpha=x)', 'NAME or NAME'),
    ('SUA alpha', 'NAME or NAME'),
    ('1', 'NAME or NAME'),
    ('tfusq.SUA', 'NAME or NAME'),
    ('SUA()', 'SUA[(][)] is not built: TypeError'),
    ('SUA(beta=1)', 'SUA has no temperature beta; it has alpha'),
    ('SUA(alpha=-1)', 'positive number'),
    ('STE', 'STE is not a surrogate'),
  ],
)
def test_what_is_no_surrogate_is_refused(name, reason):
  with pytest.raises(AnalysisError, match=reason):
    study.surrogates([name])


def test_an_unknown_surrogate_is_refused():
  with pytest.raises(plugins.PluginError, match='no plugin Nothing'):
    study.surrogates(['Nothing'])


def test_what_is_named_twice_is_taken_once():
  named = study.surrogates(['SUA(alpha=5)', 'AUN', 'SUA', 'AUN'])
  assert [study.label(surrogate) for surrogate in named] == [
    'SUA(alpha=5)',
    'AUN',
    'SUA(alpha=0.5)',
  ]


class Demanding(tfusq.Surrogate):
  """A surrogate that needs more than temperatures."""

  def __init__(self, width):
    super().__init__()
    self.width = width


def test_what_is_not_built_costs_its_own_row(monkeypatch):
  plugin = plugins.Plugin('tfusq.surrogates', 'Demanding', 'there:Demanding', 'theirs', '1')
  monkeypatch.setattr(
    plugins,
    'load_all',
    lambda *_: (
      {plugin: Demanding, plugin._replace(name='AUN'): tfusq.AUN},
      {'Broken': plugins.PluginError('Broken is broken')},
    ),
  )
  registered, left_out = study.registered_surrogates()
  assert [study.label(surrogate) for surrogate in registered] == ['AUN']
  broken, demanding = left_out
  assert broken == 'Broken is broken' and demanding.startswith('Demanding is not built: TypeError')
  monkeypatch.setattr(plugins, 'claims', lambda name: [plugin])
  monkeypatch.setattr(plugins, 'load', lambda claimed: Demanding)
  with pytest.raises(AnalysisError, match='Demanding is not built: TypeError'):
    study.surrogates(['Demanding'])


class Limited(tfusq.SUA):
  """A surrogate whose temperatures end at 6, and that has a second one."""

  typical_temperatures = {'alpha': (1.0, 5.0), 'beta': (2.0, 3.0)}

  def __init__(self, alpha: float | tfusq.Schedule, beta: float | tfusq.Schedule):
    if isinstance(alpha, float) and alpha > 6:
      raise ValueError('alpha is at most 6')
    super().__init__(alpha)
    self.second = tfusq.Temperature(beta)


def test_temperatures_stay_where_the_surrogate_takes_them():
  alpha, _ = study.annealed([Limited(2.0, 2.0)], 5)
  assert alpha.temperatures[0] == 0.5 and alpha.temperatures[-1] <= 6 < 12.5
  assert float(alpha.make(4.0).second.value) == 3.0


class TwoTemperatures(tfusq.SUA):
  """A surrogate that reports its second temperature."""

  typical_temperatures = {'alpha': (1.0, 5.0), 'beta': (2.0, 3.0)}

  def __init__(self, alpha: float | tfusq.Schedule, beta: float | tfusq.Schedule):
    super().__init__(alpha)
    self.beta = tfusq.Temperature(beta)


def test_the_other_temperatures_are_those_asked_for():
  first, second = study.annealed([TwoTemperatures(1.0, 7.0)], 3)
  assert (first.name, second.name) == ('TwoTemperatures.alpha', 'TwoTemperatures.beta')
  assert float(first.make(4.0).beta.value) == 7 and float(first.make(4.0).alpha.value) == 4
  assert float(second.make(4.0).beta.value) == 4 and float(second.make(4.0).alpha.value) == 1
  assert second.temperatures[0] == 1 and second.temperatures[-1] == pytest.approx(7.5)


def test_a_temperature_of_which_no_value_is_taken_is_left_out():
  class Narrow(TwoTemperatures):
    """A surrogate whose second temperature is one number only."""

    def __init__(self, alpha: float | tfusq.Schedule, beta: float | tfusq.Schedule):
      if isinstance(beta, float) and beta != 2.5:
        raise ValueError('beta is 2.5')
      super().__init__(alpha, beta)

  (axis,) = study.annealed([Narrow(1.0, 2.5)], 3)
  assert axis.name == 'Narrow.alpha' and len(axis.temperatures) == 3


def test_a_surrogate_without_a_temperature_has_no_axis():
  assert study.annealed([tfusq.SR()], 3) == []


def test_estimators_are_those_that_are_admitted():
  names = {type(estimator).__name__ for estimator in study.estimators(tfusq.SR())}
  assert {'STE', 'EP'} <= names and 'PGE' not in names


def test_temperatures_go_beyond_the_typical_ones():
  (axis,) = study.annealed([tfusq.SUA(1.0), tfusq.AUN(), tfusq.SUA(2.0)], 4)
  low, high = min(tfusq.SUA.typical_temperatures), max(tfusq.SUA.typical_temperatures)
  assert axis.name == 'SUA' and len(axis.temperatures) == 4
  assert axis.temperatures[0] == pytest.approx(low / 2)
  assert axis.temperatures[-1] == pytest.approx(2.5 * high)
  assert float(axis.make(3.0).alpha.value) == 3


def test_a_study_is_written_as_data_and_picture(tmp_path):
  rows = []
  for name in ('AUN', 'SHA'):
    rows.append({'surrogate': name, 'scale': 0.1, 'bits': math.inf})
    rows.append({'surrogate': name, 'scale': 1.0, 'bits': 2 / 3})
  figure = draw([[Panel('bits', 'rate [bits]', 'title', rows)]], 'scale', 'scale')
  (axes,) = figure.axes
  assert axes.get_ylabel() == 'rate [bits]' and axes.get_xlabel() == 'scale'
  # What is infinite is not drawn.
  assert [list(line.get_xdata()) for line in axes.lines] == [[1.0], [1.0]]
  paths = study.write_study(Study('name', rows, figure), tmp_path, False)
  assert paths == (tmp_path / 'name.csv', tmp_path / 'name.png')
  lines = (tmp_path / 'name.csv').read_text().splitlines()
  assert lines[0] == 'surrogate,scale,bits' and lines[1] == 'AUN,0.1,inf' and len(lines) == 5
  assert (tmp_path / 'name.png').exists()
  with pytest.raises(files.Exists, match='name.csv'):
    study.write_study(Study('name', rows, figure), tmp_path, False)


def test_a_table_has_numbers_to_the_right():
  rows = [{'surrogate': 'AUN', 'bits': 2 / 3}, {'surrogate': 'SUA(alpha=5)', 'bits': math.inf}]
  assert study.format_rows(rows).splitlines() == [
    'surrogate        bits',
    'AUN           0.66667',
    'SUA(alpha=5)      inf',
  ]


def test_scales_are_spread_evenly_in_logarithms():
  for full in (False, True):
    scales = study.Effort(full).scales()
    assert scales[0] == pytest.approx(0.1) and scales[-1] == pytest.approx(4)
    assert np.ptp(np.diff(np.log(scales))) < 1e-9
