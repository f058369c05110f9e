"""Grids of trainings, and reports on them. Nothing here imports TensorFlow."""
