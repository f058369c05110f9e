"""Grids of trainings, and reports on them."""
