"""Scalar quantization: its surrogates, gradient estimators, and temperatures."""
