import re

import pytest

import tfusq
from tfusq.analysis import card, risk
from tfusq.analysis.studies import distortion
from tfusq.analysis.study import Effort


@pytest.fixture
def quick(monkeypatch):
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.3, 1.0])
  monkeypatch.setattr(risk, 'BLOCK', 100)
  monkeypatch.setattr(distortion, 'Training', lambda steps, **kwargs: TRAINING(20, **kwargs))
  monkeypatch.setattr(card, 'backdrop', lambda: [tfusq.AUN()])
  monkeypatch.setattr(card, '_LATENT', (2, 4, 4, 8))


TRAINING = distortion.Training


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_card_has_descriptions_pictures_and_tables(quick):
  page = card.write_card([tfusq.SUA(5.0), tfusq.SR()], Effort())
  text = re.sub('<[^>]+>', ' ', page)
  assert '<h1>SUA, SR</h1>' in page and 'r(s(y) + u)' in text and 'temperatures: alpha' in text
  assert 'admits STE, PGE, EP' in text and 'admits STE, EP' in text
  assert page.count('<img src="data:image/png;base64,') == 2
  for heading in ('Mismatch and information', 'Gradient of the rate', 'Temperature', 'Cost'):
    assert f'<h2>{heading}</h2>' in page
  assert page.count('<td>SUA(alpha=5)</td>') >= 3 and page.count('<td>SR</td>') >= 3


def by_surrogate(rows):
  """Returns the distances to rounding in the order of temperatures, by surrogate."""
  distances = {}
  for row in rows:
    distances.setdefault(row['surrogate'], []).append(row['distance to rounding'])
  return distances


def test_what_hardens_tends_to_rounding():
  rows = card.limits([tfusq.SUA(5.0), tfusq.SGA(0.5), tfusq.AUN()])
  distances = by_surrogate(rows)
  assert distances['AUN'] == [pytest.approx(1 / 3, abs=0.01)]
  assert distances['SUA'][0] == pytest.approx(1 / 3, abs=0.01) and distances['SUA'][-1] < 0.03
  assert distances['SGA'][0] < 0.01 < 0.2 < distances['SGA'][-1]


class Dithered(tfusq.SUA):
  """Soft rounding whose second temperature is the width of the noise."""

  typical_temperatures = {'alpha': (5.0,), 'width': (1.0,)}

  def __init__(self, alpha: float | tfusq.Schedule, width: float | tfusq.Schedule):
    super().__init__(alpha)
    self.width = tfusq.Temperature(width)

  def noise(self, y, seed):
    return self.width(y.dtype) * super().noise(y, seed)


def test_each_temperature_moves_by_itself():
  distances = by_surrogate(card.limits([Dithered(5.0, 1.0)]))
  assert list(distances) == ['Dithered.alpha', 'Dithered.width']
  assert min(distances['Dithered.alpha']) < 0.03 < min(distances['Dithered.width'])


def test_costs_are_relative_to_rounding(quick):
  (row,) = card.costs([tfusq.Round()])
  assert row['surrogate'] == 'Round' and 0.2 < row['relative to rounding'] < 5
