"""The paper's codecs by the paper's names (Sec. 6.1.1)."""

from tfusq.models.base import Hyperprior, Model, Part, Visitor
from tfusq.models.centred import CentredModel
from tfusq.models.charm import Charm
from tfusq.models.elic import ELIC
from tfusq.models.gained import GainedModel, Gains
from tfusq.models.ms_hyper import MSHyper
from tfusq.models.serial import Cheng, MSContext
from tfusq.models.start import RawLayers
from tfusq.models.variable_rate import Target, VariableRate
from tfusq.models.visitors import EstimatingVisitor, RoundingVisitor

__all__ = [
  'CentredModel',
  'Charm',
  'Cheng',
  'ELIC',
  'EstimatingVisitor',
  'GainedModel',
  'Gains',
  'Hyperprior',
  'MSContext',
  'MSHyper',
  'Model',
  'Part',
  'RawLayers',
  'RoundingVisitor',
  'Target',
  'VariableRate',
  'Visitor',
]
