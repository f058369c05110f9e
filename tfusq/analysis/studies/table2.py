"""Table II: bias and variance of the gradient of the rate, compared with the paper's values.

The latent is uniform on [-1.5, 1.5], the entropy model is a Gaussian of mean 0, and the rate is in
bits. The table has the means over the latent of the absolute bias and of the variance; see
`tfusq.analysis.risk`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tfusq import progress
from tfusq.analysis import risk
from tfusq.quantization.estimators import PGE, STE
from tfusq.quantization.surrogates import AUN, SR, SRA, SUA

# Scales of the entropy model, for the two pairs of columns.
SCALES = (0.3, 1.0)
# Backward and forward calculation, name, and the paper's bias and variance at each scale.
TABLE_II = (
  (PGE(), AUN(), 'AUN', ((0.0, 11.93), (0.0, 0.15))),
  (PGE(), SUA(5.0), 'SUA5', ((0.0, 433.86), (0.0, 6.33))),
  (PGE(), SUA(10.0), 'SUA10', ((0.0, 29351.05), (0.0, 432.30))),
  (STE(), SUA(5.0), 'SUA5', ((1.36, 29.28), (0.16, 0.36))),
  (STE(), SUA(10.0), 'SUA10', ((2.10, 74.88), (0.24, 0.92))),
  (STE(), SR(), 'SR', ((2.95, 22.30), (0.33, 0.30))),
  (STE(), SRA(5.0), 'SRA5', ((2.96, 46.19), (0.33, 0.62))),
  (STE(), SRA(10.0), 'SRA10', ((2.96, 92.58), (0.33, 1.23))),
)

# Number of latents, so many that the mean over them is that over the interval.
_POINTS = 2048


class Entry(NamedTuple):
  """One number of the table.

  Attributes:
    row: Name of the row: estimator and surrogate.
    scale: Scale of the entropy model.
    quantity: 'bias', in bits, or 'variance', in bits^2.
    paper: Value of the paper.
    measured: Measured value.
    error: Standard error of the measured value.
  """

  row: str
  scale: float
  quantity: str
  paper: float
  measured: float
  error: float


def table2(samples: int = 8000) -> Iterator[Entry]:
  """Measures Table II.

  Args:
    samples: Number of noise samples at each latent, a multiple of 1,000.

  Yields:
    The entries of the table, row by row.

  Raises:
    AnalysisError: if `samples` is no such multiple.
  """
  y = risk.latents(_POINTS)

  expected = {}  # rows of one surrogate share it
  for estimator, surrogate, name, paper in progress.track(TABLE_II, 'row'):
    gradient = risk.RateGradient(surrogate, [estimator])
    if name not in expected:
      of_surrogate = risk.ExpectedGradient(surrogate)
      expected[name] = [of_surrogate(y, scale, samples) for scale in SCALES]

    row = f'{type(estimator).__name__} {name}'
    for scale, exact, (paper_bias, paper_variance) in zip(
      SCALES, expected[name], paper, strict=True
    ):
      (pointwise,) = risk.pointwise(gradient, exact, y, scale, samples)
      means = risk.mean_over_latents(pointwise)
      yield Entry(row, scale, 'bias', paper_bias, means.bias, means.bias_error)
      yield Entry(row, scale, 'variance', paper_variance, means.variance, means.variance_error)


def report(samples: int) -> str:
  """Returns Table II as text.

  Args:
    samples: Number of noise samples at each latent, a multiple of 1,000.

  Returns:
    A line for each entry: the paper's value, the measured value with its standard error, and the
    difference, relative unless the paper's value is 0.
  """
  lines = [f'{"":<12}{"sigma":>6} {"":<9}{"paper":>11}{"ours":>12}{"+-":>10}{"difference":>12}']
  for entry in table2(samples):
    if entry.paper:
      difference = f'{100 * (entry.measured / entry.paper - 1):+.1f} %'
    else:
      difference = f'{entry.measured - entry.paper:+.4f}'
    lines.append(
      f'{entry.row:<12}{entry.scale:>6} {entry.quantity:<9}{entry.paper:>11.2f}'
      f'{entry.measured:>12.4f}{entry.error:>10.4f}{difference:>12}'
    )
  return '\n'.join(lines)
