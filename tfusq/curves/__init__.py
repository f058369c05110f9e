"""Rate-distortion curves: files, BD-rates, pictures, and reference curves."""
