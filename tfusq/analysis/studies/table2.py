"""Table II: bias and variance of the gradient of the rate, beside the paper's figures."""

from collections.abc import Iterable

from tqdm import tqdm

from tfusq.analysis import risk
from tfusq.quantization.estimators import PGE, STE
from tfusq.quantization.surrogates import AUN, SR, SRA, SUA

# Forward and backward calculation, and the paper's bias and variance at each scale.
SCALES = (0.3, 1.0)
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
_POINTS = 2048


def table2(samples: int = 8000) -> Iterable[tuple[str, float, str, float, float, float]]:
  """Runs Table II.

  Args:
    samples: Of the noise at each point; a multiple of 1,000.

  Yields:
    Row's name, scale, 'bias' or 'variance', the paper's figure, ours, and its standard error.
  """
  y = risk.latents(_POINTS)
  for estimator, surrogate, name, paper in tqdm(TABLE_II, unit='row'):
    gradient, expected = risk.RateGradient(surrogate, [estimator]), risk.ExpectedGradient(surrogate)
    label = f'{type(estimator).__name__} {name}'
    for scale, figures in zip(SCALES, paper):
      (found,) = risk.pointwise(gradient, expected(y, scale, samples), y, scale, samples)
      ours = risk.risk(found)
      yield label, scale, 'bias', figures[0], ours.bias, ours.bias_error
      yield label, scale, 'variance', figures[1], ours.variance, ours.variance_error


def print_table2(samples: int) -> None:
  """Prints Table II: the paper's figures, ours with standard errors, and the difference."""
  rows = list(table2(samples))
  print(f'{"":<12}{"sigma":>6} {"":<9}{"paper":>11}{"ours":>12}{"+-":>10}{"difference":>12}')
  for name, scale, figure, paper, ours, error in rows:
    difference = f'{100 * (ours / paper - 1):+.1f} %' if paper else f'{ours - paper:+.4f}'
    print(
      f'{name:<12}{scale:>6} {figure:<9}{paper:>11.2f}{ours:>12.4f}{error:>10.4f}{difference:>12}'
    )
