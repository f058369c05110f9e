"""The studies: what is measured of surrogates, estimators and trained codecs."""
