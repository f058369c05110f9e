"""The paper's simulations, run with the library's own surrogates and estimators.

* `study`: which surrogates and estimators a study takes, and how its results are written.
* `quadrature`, `tabulation`, `pairs`: information, rate and distortion of Gaussian latents.
* `risk`: bias and variance of gradient estimators.
* `synthesis`: trained synthesis networks for toy sources.
* `optimization`: the training of the studies' small networks.
* `panels`: pictures of several surrogates.
* `studies`: what `tfusq analyze` measures, a module for each analysis.
* `card`: the results on some surrogates, on one page.
* `statements`: the paper's sentences, held against the results.
"""
