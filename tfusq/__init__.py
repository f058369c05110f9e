"""tfusq: uniform scalar quantization for learned image compression, on TensorFlow.

The public names are loaded when first used, so that listing plugins or `tfusq --help` does not
import TensorFlow. Type checkers and editors read them from the imports below.
"""

import importlib
import importlib.metadata
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  __version__: str

  from tfusq.coding import Coder as Coder
  from tfusq.coding import Tables as Tables
  from tfusq.entropy_models import EntropyModel as EntropyModel
  from tfusq.entropy_models import Factorized as Factorized
  from tfusq.entropy_models import Gaussian as Gaussian
  from tfusq.entropy_models import GaussianMixture as GaussianMixture
  from tfusq.entropy_models import Laplacian as Laplacian
  from tfusq.errors import Error as Error
  from tfusq.models import ELIC as ELIC
  from tfusq.models import Charm as Charm
  from tfusq.models import Cheng as Cheng
  from tfusq.models import Hyperprior as Hyperprior
  from tfusq.models import Model as Model
  from tfusq.models import MSContext as MSContext
  from tfusq.models import MSHyper as MSHyper
  from tfusq.models import Part as Part
  from tfusq.models import VariableRate as VariableRate
  from tfusq.models import Visitor as Visitor
  from tfusq.quantization.estimators import EP as EP
  from tfusq.quantization.estimators import PGE as PGE
  from tfusq.quantization.estimators import STE as STE
  from tfusq.quantization.estimators import Estimator as Estimator
  from tfusq.quantization.estimators import Undefined as Undefined
  from tfusq.quantization.bounds import lower_bound as lower_bound
  from tfusq.quantization.bounds import upper_bound as upper_bound
  from tfusq.quantization.gradients import with_slope as with_slope
  from tfusq.quantization.quantizer import Quantizer as Quantizer
  from tfusq.quantization.rounding import quantize as quantize
  from tfusq.quantization.surrogates import AUN as AUN
  from tfusq.quantization.surrogates import SGA as SGA
  from tfusq.quantization.surrogates import SHA as SHA
  from tfusq.quantization.surrogates import SR as SR
  from tfusq.quantization.surrogates import SRA as SRA
  from tfusq.quantization.surrogates import SUA as SUA
  from tfusq.quantization.surrogates import Round as Round
  from tfusq.quantization.base import Secant as Secant
  from tfusq.quantization.surrogates import SGAHard as SGAHard
  from tfusq.quantization.surrogates import SUAn as SUAn
  from tfusq.quantization.base import Surrogate as Surrogate
  from tfusq.quantization.surrogates import UQi as UQi
  from tfusq.quantization.surrogates import UQs as UQs
  from tfusq.quantization.schedules import Constant as Constant
  from tfusq.quantization.schedules import Exponential as Exponential
  from tfusq.quantization.schedules import Linear as Linear
  from tfusq.quantization.schedules import Piecewise as Piecewise
  from tfusq.quantization.schedules import Schedule as Schedule
  from tfusq.quantization.temperature import Temperature as Temperature
  from tfusq.training.codec import Codec as Codec
  from tfusq.training.distortions import MSE as MSE
  from tfusq.training.distortions import MSSSIM as MSSSIM
  from tfusq.training.distortions import Distortion as Distortion
  from tfusq.training.distortions import WeightedSum as WeightedSum
  from tfusq.training.patches import Patches as Patches
  from tfusq.transforms import Bottleneck as Bottleneck
  from tfusq.transforms import Convolutional as Convolutional
  from tfusq.transforms import KLT as KLT
  from tfusq.transforms import Light as Light
  from tfusq.transforms import Residual as Residual
  from tfusq.transforms import Transforms as Transforms

# From TensorFlow 2.16 on, Keras 2 where `tf.keras` would be Keras 3; read when that is first used.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')

# The module of each public name.
_HOME = {
  'Coder': 'tfusq.coding',
  'Tables': 'tfusq.coding',
  'EntropyModel': 'tfusq.entropy_models',
  'Gaussian': 'tfusq.entropy_models',
  'Laplacian': 'tfusq.entropy_models',
  'GaussianMixture': 'tfusq.entropy_models',
  'Factorized': 'tfusq.entropy_models',
  'Error': 'tfusq.errors',
  'Model': 'tfusq.models',
  'Hyperprior': 'tfusq.models',
  'MSHyper': 'tfusq.models',
  'MSContext': 'tfusq.models',
  'Cheng': 'tfusq.models',
  'Charm': 'tfusq.models',
  'ELIC': 'tfusq.models',
  'Part': 'tfusq.models',
  'VariableRate': 'tfusq.models',
  'Visitor': 'tfusq.models',
  'Estimator': 'tfusq.quantization.estimators',
  'Undefined': 'tfusq.quantization.estimators',
  'PGE': 'tfusq.quantization.estimators',
  'STE': 'tfusq.quantization.estimators',
  'EP': 'tfusq.quantization.estimators',
  'lower_bound': 'tfusq.quantization.bounds',
  'upper_bound': 'tfusq.quantization.bounds',
  'with_slope': 'tfusq.quantization.gradients',
  'Quantizer': 'tfusq.quantization.quantizer',
  'quantize': 'tfusq.quantization.rounding',
  'Surrogate': 'tfusq.quantization.base',
  'Secant': 'tfusq.quantization.base',
  'Round': 'tfusq.quantization.surrogates',
  'AUN': 'tfusq.quantization.surrogates',
  'UQs': 'tfusq.quantization.surrogates',
  'UQi': 'tfusq.quantization.surrogates',
  'SHA': 'tfusq.quantization.surrogates',
  'SGA': 'tfusq.quantization.surrogates',
  'SGAHard': 'tfusq.quantization.surrogates',
  'SUA': 'tfusq.quantization.surrogates',
  'SUAn': 'tfusq.quantization.surrogates',
  'SR': 'tfusq.quantization.surrogates',
  'SRA': 'tfusq.quantization.surrogates',
  'Schedule': 'tfusq.quantization.schedules',
  'Constant': 'tfusq.quantization.schedules',
  'Linear': 'tfusq.quantization.schedules',
  'Exponential': 'tfusq.quantization.schedules',
  'Piecewise': 'tfusq.quantization.schedules',
  'Temperature': 'tfusq.quantization.temperature',
  'Codec': 'tfusq.training.codec',
  'Distortion': 'tfusq.training.distortions',
  'MSE': 'tfusq.training.distortions',
  'MSSSIM': 'tfusq.training.distortions',
  'WeightedSum': 'tfusq.training.distortions',
  'Patches': 'tfusq.training.patches',
  'Transforms': 'tfusq.transforms',
  'Convolutional': 'tfusq.transforms',
  'KLT': 'tfusq.transforms',
  'Light': 'tfusq.transforms',
  'Residual': 'tfusq.transforms',
  'Bottleneck': 'tfusq.transforms',
}

__all__ = [
  'AUN',
  'Bottleneck',
  'Charm',
  'Cheng',
  'Codec',
  'Coder',
  'Constant',
  'Convolutional',
  'Distortion',
  'ELIC',
  'EP',
  'EntropyModel',
  'Error',
  'Estimator',
  'Exponential',
  'Factorized',
  'Gaussian',
  'GaussianMixture',
  'Hyperprior',
  'KLT',
  'Laplacian',
  'Light',
  'Linear',
  'MSContext',
  'MSE',
  'MSHyper',
  'MSSSIM',
  'Model',
  'PGE',
  'Part',
  'Patches',
  'Piecewise',
  'Quantizer',
  'Residual',
  'Round',
  'SGA',
  'SGAHard',
  'SHA',
  'SR',
  'SRA',
  'STE',
  'SUA',
  'SUAn',
  'Schedule',
  'Secant',
  'Surrogate',
  'Tables',
  'Temperature',
  'Transforms',
  'UQi',
  'UQs',
  'Undefined',
  'VariableRate',
  'Visitor',
  'WeightedSum',
  'lower_bound',
  'quantize',
  'upper_bound',
  'with_slope',
]


def __getattr__(name: str) -> object:
  if name in _HOME:
    return getattr(importlib.import_module(_HOME[name]), name)
  if name == '__version__':
    return _version()
  raise AttributeError(f'module tfusq has no attribute {name}')


def _version() -> str:
  """Returns the installed version."""
  try:
    return importlib.metadata.version('tfusq')
  except importlib.metadata.PackageNotFoundError:
    return 'unknown (not installed)'


def __dir__() -> list[str]:
  return [*__all__, '__version__']
