"""Refinement: a picture's latents are optimized for it alone before they are coded."""

from tfusq.refinement.optimization import Budget
from tfusq.refinement.refinement import STEPS, Refinement
from tfusq.refinement.refiner import Refiner

__all__ = ['STEPS', 'Budget', 'Refinement', 'Refiner']
