"""Studies of surrogates, estimators and trained codecs.

The modules `information`, `distortion`, `rate`, `gradient`, `laplacian` and `network` reproduce the
paper's simulations. Each has a function `measure`, which takes surrogates and an effort and returns
tables with pictures, `tfusq.analysis.study.Study`. `table2` compares gradients with the paper's
numbers. `scales`, `code_length` and `diagnosis` measure trained codecs on images.
"""
