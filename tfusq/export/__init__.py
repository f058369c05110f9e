"""Trained codecs as SavedModels, and the files that these write and read."""
