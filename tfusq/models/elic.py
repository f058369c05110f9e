"""ELIC."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import contexts
from tfusq.models.base import Hyperprior, Part
from tfusq.transforms import Bottleneck, Transforms


class ELIC(Hyperprior):
  """Uneven groups of channels, each coded as a checkerboard: ELIC-zero and ELIC-sm-zero.

  A group is conditioned on z and on the groups before it; its second colour also on its first.

  #### References
  He, Yang, Peng, Ma, Qin and Wang, ELIC: efficient learned image compression with unevenly grouped
  space-channel contextual adaptive coding, 2022, as `Elic2022Official` of CompressAI has it.
  """

  def __init__(
    self,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int = 192,
    latent_channels: int = 320,
    groups: Sequence[int] = (16, 16, 32, 64, 192),
    analysis: Transforms = Bottleneck(),
    synthesis: Transforms = Bottleneck(),
  ):
    """Initializer; the other arguments and what is raised are those of `Hyperprior`.

    Args:
      groups: Channels of each group; their sum is M.
    """
    super().__init__(
      'elic', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    if not (
      isinstance(groups, (list, tuple))
      and sum(groups) == latent_channels
      and all(type(size) is int and size > 0 for size in groups)
    ):
      raise ValueError(
        'ELIC.groups must be positive integers whose sum is ELIC.latent_channels = '
        f'{latent_channels}, not {groups!r}'
      )
    self.parts = 2 * len(groups)
    self._starts = np.cumsum([0, *groups]).tolist()
    self.hyper_analysis = transforms.hyper_analysis(filters)
    self.hyper_synthesis = transforms.grouped_hyper_synthesis(filters)
    self.channel_context = [
      contexts.slice_transform(latent_channels, 2 * size, last_kernel=5) for size in groups[1:]
    ]
    self.space_context = [contexts.checkerboard(2 * size) for size in groups]
    self.parameters = [
      contexts.parameter_network(
        _widths(
          2 * size * (1 + (place > 0)) + 2 * filters, entropy_model.channels * size, 2 * filters
        )
      )
      for place, size in enumerate(groups)
    ]

  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    features = self.hyper_synthesis(z_hat)[:, :height, :width]
    colours = contexts.colours(height, width)
    everywhere = [Part('y', positions=positions) for positions in colours]
    y_hat = []
    for place, (space_context, parameters) in enumerate(zip(self.space_context, self.parameters)):
      channels = slice(*self._starts[place : place + 2])
      support = features
      if place:
        support = tf.concat([self.channel_context[place - 1](tf.concat(y_hat, -1)), features], -1)
      pieces = []
      for part in everywhere:
        here = part.of(support)
        if pieces:
          size = tf.stack([batch, tf.size(part.positions), 1, channels.stop - channels.start])
          first = contexts.join([*pieces, tf.zeros(size)], colours, height, width)
          context = part.of(space_context(first))
        else:
          context = tf.zeros(tf.concat([tf.shape(here)[:3], [space_context.filters]], 0))
        raw = parameters(tf.concat([context, here], -1))
        pieces.append(visitor.visit(part._replace(channels=channels), raw))
      y_hat.append(contexts.join(pieces, colours, height, width))
    return tf.concat(y_hat, -1)


def _widths(inputs: int, outputs: int, least: int) -> list[int]:
  """Returns the widths of three layers, from inputs to outputs in equal steps."""
  steps = np.linspace(inputs, outputs, 4)[1:3]
  return [max(int(width), least) for width in steps] + [outputs]
