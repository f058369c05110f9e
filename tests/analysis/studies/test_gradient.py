import pytest

import tfusq
from tfusq.analysis import risk, study
from tfusq.analysis.studies import gradient
from tfusq.analysis.study import Effort


@pytest.mark.usefixtures('eagerly')
def test_the_study_has_every_estimator_over_scale_latent_and_temperature(monkeypatch):
  monkeypatch.setattr(risk, 'BLOCK', 100)
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.3, 2.0])
  scale, latent, temperature = gradient.measure([tfusq.AUN(), tfusq.SUA(5.0)], Effort())
  pairs = {(row['surrogate'], row['estimator']) for row in scale.rows}
  assert {('AUN', 'PGE'), ('AUN', 'STE'), ('SUA(alpha=5)', 'PGE'), ('SUA(alpha=5)', 'STE')} <= pairs
  assert all(estimator != 'EP' for _, estimator in pairs)
  assert len({row['latent'] for row in latent.rows}) == 61 and not latent.printed
  assert {row['surrogate'] for row in temperature.rows} == {'SUA'}
  ste = [
    row['bias'] for row in temperature.rows if row['estimator'] == 'STE' and row['scale'] == 0.3
  ]
  assert ste[-1] > ste[0]  # Sec. 4.4.2: the bias of SUA increases with its temperature
  assert scale.rows[0].keys() >= {'bias', 'bias_error', 'variance', 'variance_error', 'expected'}


def test_a_surrogate_without_a_temperature_has_no_such_study(monkeypatch):
  monkeypatch.setattr(risk, 'BLOCK', 100)
  monkeypatch.setattr(Effort, 'scales', lambda self: [1.0])
  assert [study.name for study in gradient.measure([tfusq.SR()], Effort())] == [
    'gradient',
    'gradient_latent',
  ]
  assert study.annealed([tfusq.SR()], 3) == []
