"""Real bytes and quality of codecs over a folder of images."""
