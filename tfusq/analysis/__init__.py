"""The paper's simulations, run with the library's own surrogates and estimators."""
