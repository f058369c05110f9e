"""ELIC."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import contexts
from tfusq.models.base import Hyperprior, Part, Visitor
from tfusq.models.start import RawLayers
from tfusq.transforms import Bottleneck, Transforms


class ELIC(Hyperprior):
  """Uneven groups of channels, each coded as a checkerboard: ELIC-zero and ELIC-sm-zero.

  A group is conditioned on z and on the groups before it; its second colour also on its first. The
  sizes are those of `Elic2022Official` in CompressAI.

  #### References
  He, Yang, Peng, Ma, Qin and Wang, ELIC: efficient learned image compression with unevenly grouped
  space-channel contextual adaptive coding, 2022. https://arxiv.org/abs/2203.10886
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
    """Initializer.

    Args:
      entropy_model: Entropy model of the latent y, conditioned on z and on parts of y.
      hyper_entropy_model: Entropy model of the hyperlatent z, an unconditional one.
      filters: Width N of the transforms, and channels of z.
      latent_channels: M, the channels of y.
      groups: Channels of each group; their sum is M.
      analysis: Transforms of which the analysis is used.
      synthesis: Transforms of which the synthesis is used.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a size is out of range, or an entropy model of the wrong kind.
    """
    super().__init__(
      'elic', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    if not _are_groups(groups, latent_channels):
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

    parameters = []
    for number, size in enumerate(groups):
      # Features of z, of the own group's first colour, and of the groups before, if there are any.
      inputs = 2 * filters + 2 * size + (2 * size if number else 0)
      widths = _widths(inputs, entropy_model.channels * size, least=2 * filters)
      parameters.append(contexts.parameter_network(widths))
    self.parameters = parameters

  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    features = self.hyper_synthesis(z_hat)[:, :height, :width]

    groups: list[tf.Tensor] = []
    for number in range(len(self.parameters)):
      support = features
      if number:
        channel_context = self.channel_context[number - 1](tf.concat(groups, -1))
        support = tf.concat([channel_context, features], -1)
      groups.append(self._visit_group(visitor, number, support))
    return tf.concat(groups, -1)

  def raw_layers(self):
    raw_layers = []
    for number, parameters in enumerate(self.parameters):
      raw_layers.append(RawLayers(self._channels(number), [parameters.layers[-1]]))
    return raw_layers

  def _channels(self, number: int) -> slice:
    """Returns the channels of a group."""
    return slice(self._starts[number], self._starts[number + 1])

  def _visit_group(self, visitor: Visitor, number: int, support: tf.Tensor) -> tf.Tensor:
    """Visits both colours of a group; returns it quantized, `[batch, height, width, channels]`.

    Args:
      visitor: The visitor.
      number: Number of the group.
      support: Features of z and of the groups before.
    """
    batch, height, width, _ = transforms.sizes(support)
    colours = contexts.colours(height, width)
    channels = self._channels(number)
    space_context = self.space_context[number]
    parameters = self.parameters[number]

    first = Part('y', channels, colours[0])
    first_support = first.at_positions(support)
    no_context = tf.zeros([*transforms.sizes(first_support)[:3], space_context.filters])
    raw = parameters(tf.concat([no_context, first_support], -1))
    first_piece = visitor.visit(first, raw)

    second = Part('y', channels, colours[1])
    (count,) = transforms.sizes(colours[1])
    unknown = tf.zeros([batch, count, 1, channels.stop - channels.start])
    known = contexts.join([first_piece, unknown], colours, height, width)
    context = second.at_positions(space_context(known))
    raw = parameters(tf.concat([context, second.at_positions(support)], -1))
    second_piece = visitor.visit(second, raw)

    return contexts.join([first_piece, second_piece], colours, height, width)


def _are_groups(groups: object, latent_channels: int) -> bool:
  if not isinstance(groups, (list, tuple)):
    return False
  are_sizes = all(type(size) is int and size > 0 for size in groups)
  return are_sizes and sum(groups) == latent_channels


def _widths(inputs: int, outputs: int, least: int) -> list[int]:
  """Returns the widths of three layers, from inputs to outputs in equal steps."""
  steps = np.linspace(inputs, outputs, 4)[1:3]
  return [max(int(width), least) for width in steps] + [outputs]
