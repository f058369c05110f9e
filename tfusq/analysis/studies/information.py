"""Information that surrogates carry about a Gaussian latent (Sec. 4.2.1, Fig. 1).

The mutual information `I(y; y_tilde)` limits what a synthesis can learn about the latent, and in
training should be that of rounding. Let `P(w)` be the Gaussian's probability of the unit interval
around `w`, `s` the soft rounding of a surrogate, `q(y)` the probability that it rounds `y` up, and
`h(q)` the entropy of a bit that is 1 with probability `q`. The mutual information in bits is

    Round         -sum_k P(k) log2 P(k)     over integers k
    AUN, UQ       -int P(w) log2 P(w) dw
    SUA, SUA-n    -int s'(w - 1/2) P(w) log2 P(w) dw
    SR, SRA       H(y_tilde) - E[h(q(y))]
    SHA           infinite, since the map is invertible

The study finds it by the quadrature of `tfusq.analysis.quadrature`, which serves all surrogates.
"""

from collections.abc import Sequence

from tfusq import progress
from tfusq.analysis import quadrature, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.quantization.base import Surrogate
from tfusq.quantization.surrogates import Round

# At 1/2 the mean lies on a boundary of rounding, at 0 in the middle between two.
MEANS = (0.0, 0.5)


def measure(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the mutual information of a Gaussian latent and each surrogate, in bits.

  Args:
    surrogates: Forward calculations.
    effort: Extent of the study.

  Returns:
    A study with a row for each surrogate, mean and scale.
  """
  scales = effort.scales()
  rounding = quadrature.conditional(Round(), min(scales))
  references = []
  for mean in MEANS:
    for scale in scales:
      references.append((mean, scale, rounding.law(mean, scale).information))

  rows = []
  for surrogate in progress.track(surrogates, 'surrogate'):
    conditional = quadrature.conditional(surrogate, min(scales))
    for mean, scale, rounded_bits in references:
      bits = conditional.law(mean, scale).information
      rows.append(
        {
          'surrogate': study.label(surrogate),
          'mean': mean,
          'scale': scale,
          'information': bits,
          'rounding': rounded_bits,
          'difference': bits - rounded_bits,
        }
      )
  return [Study('information', rows, _draw(rows))]


def _draw(rows):
  panels = []
  for mean in MEANS:
    shown = [row for row in rows if row['mean'] == mean]
    label = "information beyond rounding's [bits]"
    panels.append(Panel('difference', label, f'mean {mean:g}', shown))
  return draw([panels], 'scale', study.SCALES)
