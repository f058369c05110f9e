"""The rate that a surrogate estimates beside the true one, on Gaussian latents (Fig. 4 and 5)."""

from collections.abc import Sequence

from tqdm import tqdm

from tfusq.analysis import pairs, quadrature, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.quantization.surrogates import Round, Surrogate

MEANS = (0.0, 0.5)
CORRELATIONS = (0.0, 0.5, 0.9, 0.99)
PAIR_SCALE = 1.0


def run(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the rates that surrogates estimate, in bits, by the latent's own Gaussian.

  Args:
    surrogates: Forward calculations.
    effort: How much.

  Returns:
    That of scalars of mean 0 and 1/2, with the model's scale at which it is least; and that of
    pairs of standard deviation 1 over their correlation.
  """
  return [of_scalars(surrogates, effort), _pairs(surrogates, effort)]


def of_scalars(surrogates: Sequence[Surrogate], effort: Effort) -> Study:
  """Measures the rates of scalars alone; see `run`."""
  scales = effort.scales()
  rows = []
  rounding = quadrature.conditional(Round(), min(scales))
  for surrogate in tqdm(surrogates, desc='scales', unit='surrogate'):
    conditional = quadrature.conditional(surrogate, min(scales))
    for mean in MEANS:
      for scale in scales:
        law = conditional.law(mean, scale)
        estimated = quadrature.rate(law, mean, scale)
        real = quadrature.rate(rounding.law(mean, scale), mean, scale)
        rows.append(
          {
            'surrogate': study.label(surrogate),
            'mean': mean,
            'scale': scale,
            'estimated': estimated,
            'true': real,
            'difference': estimated - real,
            'best_scale_ratio': quadrature.best_scale(law, mean, scale) / scale,
          }
        )
  panels = [
    [
      Panel(key, label, f'mean {mean:g}', [row for row in rows if row['mean'] == mean], scale)
      for mean in MEANS
    ]
    for key, label, scale in (
      ('difference', 'estimated less true rate [bits]', 'linear'),
      ('best_scale_ratio', "best scale of the model / latent's", 'log'),
    )
  ]
  return Study('rate', rows, draw(panels, 'scale', study.SCALES))


def _pairs(surrogates, effort):
  rows = []
  true = [
    pairs.rate(Round(), PAIR_SCALE, correlation, seed=effort.seed) for correlation in CORRELATIONS
  ]
  for surrogate in tqdm(surrogates, desc='pairs', unit='surrogate'):
    for correlation, real in zip(CORRELATIONS, true):
      estimated = pairs.rate(surrogate, PAIR_SCALE, correlation, seed=effort.seed)
      rows.append(
        {
          'surrogate': study.label(surrogate),
          'correlation': correlation,
          'estimated': estimated,
          'true': real,
          'difference': estimated - real,
        }
      )
  return Study(
    'rate_of_pairs',
    rows,
    draw(
      [
        [
          Panel(
            'difference',
            'estimated less true rate [bits]',
            f'pairs, standard deviation {PAIR_SCALE:g}',
            rows,
          )
        ]
      ],
      'correlation',
      'correlation of the latents',
      logarithmic=False,
    ),
  )
