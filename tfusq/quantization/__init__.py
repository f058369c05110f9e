"""Surrogates (forward calculations), estimators (backward calculations), and their pairs."""
