"""What surrogates let through of a Gaussian latent, `I(y; y_tilde)`, beside rounding (Fig. 1)."""

from collections.abc import Sequence

from tqdm import tqdm

from tfusq.analysis import quadrature, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.quantization.surrogates import Round, Surrogate

MEANS = (0.0, 0.5)


def run(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the mutual information of a Gaussian latent and each surrogate, in bits.

  Args:
    surrogates: Forward calculations.
    effort: How much; the latent's mean is 0 and 1/2.
  """
  scales = effort.scales()
  rows = []
  rounding = quadrature.conditional(Round(), min(scales))
  places = [
    (mean, scale, rounding.law(mean, scale).information) for mean in MEANS for scale in scales
  ]
  for surrogate in tqdm(surrogates, unit='surrogate'):
    conditional = quadrature.conditional(surrogate, min(scales))
    for mean, scale, transmitted in places:
      bits = conditional.law(mean, scale).information
      rows.append(
        {
          'surrogate': study.label(surrogate),
          'mean': mean,
          'scale': scale,
          'information': bits,
          'rounding': transmitted,
          'difference': bits - transmitted,
        }
      )
  return [Study('information', rows, _draw(rows))]


def _draw(rows):
  panels = [
    Panel(
      'difference',
      "information beyond rounding's [bits]",
      f'mean {mean:g}',
      [row for row in rows if row['mean'] == mean],
    )
    for mean in MEANS
  ]
  return draw([panels], 'scale', study.SCALES)
