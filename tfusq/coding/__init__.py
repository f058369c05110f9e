"""Range coding: integer symbols to strings and back, over tables that both ends read.

`tables` has the base class `Coder` and `Tables`, which codes each symbol by one table. Tables are
made of densities with a location and a scale in `location_scale`, and of densities that nothing
conditions in `per_channel`. Mixtures have no tables of their own: see `bisection`.
"""

from tfusq.coding.tables import (
  LONG_BITS,
  MAX_WINDOW,
  PRECISION,
  SHORT_BITS,
  TAIL_MASS,
  Coder,
  Tables,
  bits_outside,
  entries,
  trim,
  wrap,
)

__all__ = [
  'Coder',
  'LONG_BITS',
  'MAX_WINDOW',
  'PRECISION',
  'SHORT_BITS',
  'TAIL_MASS',
  'Tables',
  'bits_outside',
  'entries',
  'trim',
  'wrap',
]
