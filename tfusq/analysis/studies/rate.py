"""Estimated and true rates of Gaussian latents (Sec. 4.3, Fig. 4 and 5).

An entropy model assigns to every value `v` the probability of the unit interval around it. Here it
is a Gaussian, as the latent is:

    P(v) = Phi((v + 1/2 - mean) / scale) - Phi((v - 1/2 - mean) / scale)

The estimated rate is `E[-log2 P(y_tilde)]`, and the true rate `E[-log2 P(round(y))]`, both in bits.
Their difference, with the mean and the scale of the latent, is the mismatch of the rate. A second
measure is the scale of the model at which the estimated rate is least, which should be the scale of
the latent. For AUN and SUA it is: `y_tilde` has the density `s'(v - 1/2) P(v)`, where `s` is the
soft rounding, and by Gibbs' inequality the rate is least where the model's `P` is the latent's.
"""

from collections.abc import Sequence

from tfusq import progress
from tfusq.analysis import pairs, quadrature, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.quantization.base import Surrogate
from tfusq.quantization.surrogates import Round

# At 1/2 the mean lies on a boundary of rounding, at 0 in the middle between two.
MEANS = (0.0, 0.5)
CORRELATIONS = (0.0, 0.5, 0.9, 0.99)
PAIR_SCALE = 1.0

_DIFFERENCE_LABEL = 'estimated minus true rate [bits]'


def measure(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the rates that surrogates estimate, in bits, with the latent's own Gaussian.

  Args:
    surrogates: Forward calculations.
    effort: Extent of the study, and its seed.

  Returns:
    A study of scalars with means 0 and 1/2, with the model's scale of least rate, and a study of
    pairs with standard deviation 1 over their correlation.
  """
  return [of_scalars(surrogates, effort), _of_pairs(surrogates, effort)]


def of_scalars(surrogates: Sequence[Surrogate], effort: Effort) -> Study:
  """Measures the rates of scalars alone.

  Args:
    surrogates: Forward calculations.
    effort: Extent of the study.

  Returns:
    A study with a row for each surrogate, mean and scale.
  """
  scales = effort.scales()
  rounding = quadrature.conditional(Round(), min(scales))
  rows = []
  for surrogate in progress.track(surrogates, 'surrogate', 'scales'):
    conditional = quadrature.conditional(surrogate, min(scales))
    for mean in MEANS:
      for scale in scales:
        law = conditional.law(mean, scale)
        estimated = quadrature.rate(law, mean, scale)
        true = quadrature.rate(rounding.law(mean, scale), mean, scale)
        rows.append(
          {
            'surrogate': study.label(surrogate),
            'mean': mean,
            'scale': scale,
            'estimated': estimated,
            'true': true,
            'difference': estimated - true,
            'best_scale_ratio': quadrature.best_scale(law, mean, scale) / scale,
          }
        )
  return Study('rate', rows, _draw_scalars(rows))


def _draw_scalars(rows):
  differences, ratios = [], []
  for mean in MEANS:
    title = f'mean {mean:g}'
    shown = [row for row in rows if row['mean'] == mean]
    differences.append(Panel('difference', _DIFFERENCE_LABEL, title, shown))
    label = "best scale of the model / latent's"
    ratios.append(Panel('best_scale_ratio', label, title, shown, 'log'))
  return draw([differences, ratios], 'scale', study.SCALES)


def _of_pairs(surrogates, effort):
  """Measures the rates of pairs of correlated components."""
  rounded_rates = []
  for correlation in CORRELATIONS:
    rounded_rates.append(pairs.rate(Round(), PAIR_SCALE, correlation, seed=effort.seed))

  rows = []
  for surrogate in progress.track(surrogates, 'surrogate', 'pairs'):
    for correlation, true in zip(CORRELATIONS, rounded_rates, strict=True):
      estimated = pairs.rate(surrogate, PAIR_SCALE, correlation, seed=effort.seed)
      rows.append(
        {
          'surrogate': study.label(surrogate),
          'correlation': correlation,
          'estimated': estimated,
          'true': true,
          'difference': estimated - true,
        }
      )

  title = f'pairs, standard deviation {PAIR_SCALE:g}'
  panel = Panel('difference', _DIFFERENCE_LABEL, title, rows)
  label = 'correlation of the latents'
  return Study('rate_of_pairs', rows, draw([[panel]], 'correlation', label, logarithmic=False))
