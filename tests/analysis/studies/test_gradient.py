"""Risk where EP is not defined, and the study; Table II has the rest."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq.analysis import risk, study
from tfusq.analysis.studies import gradient
from tfusq.analysis.study import AnalysisError, Effort
from tfusq.entropy_models import gaussian_bits

Y = np.array([-1.3, -0.5, -0.2, 0.0, 0.1, 0.45, 0.8])


class WithoutSecant(tfusq.SUA):
  """SUA whose law is not known."""

  secant = tfusq.Surrogate.secant


class HardWithoutSecant(tfusq.SR):
  """SR whose law is not known."""

  secant = tfusq.Surrogate.secant


@pytest.mark.parametrize(
  'known, unknown', [(tfusq.SUA(3.0), WithoutSecant(3.0)), (tfusq.SR(), HardWithoutSecant())]
)
@pytest.mark.parametrize('scale', [0.3, 1.0])
def test_the_expected_gradient_is_found_without_the_law(known, unknown, scale):
  y = Y if unknown.differentiable else risk.latents(150)
  exact = risk.ExpectedGradient(known)(y, scale, risk.BLOCK)
  found = risk.ExpectedGradient(unknown)(y, scale, 20 * risk.BLOCK, seed=3)
  assert not exact.error.any()
  # Difference quotients smooth what jumps at integers.
  inside = unknown.differentiable | (np.abs(y - np.round(y)) > 0.02)
  z = (found.value - exact.value) / (found.error + 2e-3 * np.abs(exact.value) + 1e-12)
  assert np.abs(z[inside]).max() < 4, z


def test_of_rounding_no_jump_is_missed():
  # Between neighbouring latents, up to the jumps at the ends: all change of the rate is there.
  found = risk.ExpectedGradient(tfusq.Round())(risk.latents(61), 1.0, risk.BLOCK)
  middle, far = gaussian_bits(*(tf.constant(v, tf.float64) for v in ([0.0, 2.0], 0.0, 1.0)))
  assert np.abs(found.value).sum() * 3 / 61 == pytest.approx(2 * float(far - middle))


def test_what_is_deterministic_has_no_variance_and_its_own_gradient():
  surrogate = tfusq.SHA(4.0)
  measure = risk.RateGradient(surrogate, [tfusq.PGE(), tfusq.STE()])
  exact = risk.ExpectedGradient(surrogate)(Y, 0.5, risk.BLOCK)
  for found in risk.pointwise(measure, exact, Y, 0.5, risk.BLOCK):
    assert np.abs(found.bias).max() < 1e-9 and found.variance.max() < 1e-9


def test_latents_beyond_one_part_are_measured_like_others():
  y = np.tile(Y, 60)
  surrogate = tfusq.AUN()
  exact = risk.ExpectedGradient(surrogate)(y, 1.0, risk.BLOCK)
  (found,) = risk.pointwise(
    risk.RateGradient(surrogate, [tfusq.PGE()]), exact, y, 1.0, 2 * risk.BLOCK
  )
  assert found.bias.shape == y.shape
  assert np.abs(found.bias / found.bias_error).max() < 4.5
  assert len(np.unique(found.bias)) == len(y)  # noise of its own everywhere


def test_samples_are_whole_blocks():
  exact = risk.Expected(Y, Y, Y)
  with pytest.raises(AnalysisError, match='multiple of 1000, not 500'):
    risk.pointwise(risk.RateGradient(tfusq.AUN(), [tfusq.PGE()]), exact, Y, 1.0, 500)


class NoiseWithoutSecant(tfusq.AUN):
  """AUN whose law is not known."""

  secant = tfusq.Surrogate.secant


def test_no_bias_is_found_where_there_is_none_and_the_expectation_is_sampled(monkeypatch):
  monkeypatch.setattr(risk, 'BLOCK', 100)
  y = risk.latents(31)
  surrogate = NoiseWithoutSecant()
  measure, expected = risk.RateGradient(surrogate, [tfusq.PGE()]), risk.ExpectedGradient(surrogate)
  found = []
  for seed in range(40):
    exact = expected(y, 1.0, 800, 1000 + seed)
    (pointwise,) = risk.pointwise(measure, exact, y, 1.0, 200, seed)
    means = risk.risk(pointwise)
    found.append(means.bias / means.bias_error)
  # With one reference for sign and size it would be about one.
  assert np.mean(found) < 0.4 and np.std(found) < 2


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
