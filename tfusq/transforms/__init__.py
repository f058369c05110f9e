"""Networks between image, latent and hyperlatent, as Keras layers."""

from tfusq.transforms.base import Convolutional, Transforms
from tfusq.transforms.hyper import (
  channelwise_hyper_analysis,
  channelwise_hyper_synthesis,
  grouped_hyper_synthesis,
  hyper_analysis,
  hyper_synthesis,
  residual_hyper_analysis,
  residual_hyper_synthesis,
)
from tfusq.transforms.klt import KLT
from tfusq.transforms.layers import (
  GDN,
  LINEAR,
  Conv2D,
  Conv2DTranspose,
  Dense,
  Subpixel,
  ceil_div,
  leaky,
  pad_to_multiple,
  sizes,
)
from tfusq.transforms.light import Light
from tfusq.transforms.networks import Network
from tfusq.transforms.residual import Bottleneck, Residual

__all__ = [
  'Bottleneck',
  'Conv2D',
  'Conv2DTranspose',
  'Convolutional',
  'Dense',
  'GDN',
  'KLT',
  'LINEAR',
  'Light',
  'Network',
  'Residual',
  'Subpixel',
  'Transforms',
  'ceil_div',
  'channelwise_hyper_analysis',
  'channelwise_hyper_synthesis',
  'grouped_hyper_synthesis',
  'hyper_analysis',
  'hyper_synthesis',
  'leaky',
  'pad_to_multiple',
  'residual_hyper_analysis',
  'residual_hyper_synthesis',
  'sizes',
]
