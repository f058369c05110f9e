"""tfusq: uniform scalar quantization for learned image compression, on TensorFlow.

The public names are loaded when first used, so that listing plugins or `tfusq --help` does not
import TensorFlow.
"""

import importlib

_PUBLIC = {
    'surrogates': ('Surrogate', 'Secant', 'Round', 'AUN', 'UQs', 'UQi', 'SHA', 'SGA', 'SGAHard',
                   'SUA', 'SUAn', 'SR', 'SRA'),
    'estimators': ('Estimator', 'Undefined', 'PGE', 'STE', 'EP'),
    'gradients': ('with_slope',),
    'quantizer': ('Quantizer', 'quantize'),
    'temperature': ('Schedule', 'Constant', 'Linear', 'Exponential', 'Piecewise', 'Temperature'),
    'coding': ('Coder', 'Tables'),
    'entropy_models': ('EntropyModel', 'Gaussian', 'Laplacian', 'GaussianMixture', 'Factorized'),
    'transforms': ('Transforms', 'Convolutional', 'Residual', 'Bottleneck'),
    'models': ('Model', 'Hyperprior', 'MSHyper', 'MSContext', 'Cheng', 'Charm', 'ELIC', 'Part',
               'Visitor'),
    'codec': ('Codec',),
    'data': ('Patches',),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str):
  if name in _HOME:
    return getattr(importlib.import_module(f'tfusq.{_HOME[name]}'), name)
  raise AttributeError(f'module tfusq has no attribute {name}')


def __dir__():
  return __all__
