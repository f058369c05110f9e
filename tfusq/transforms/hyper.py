"""Hyper analysis and synthesis: networks between the latent and the hyperlatent.

The hyperlatent is coded first and conditions the latent's densities. A hyper synthesis is computed
in exact arithmetic when coding, by layers that can do so (see `tfusq.transforms.exact`).
"""

from tfusq.transforms.layers import Conv2D, Conv2DTranspose, down, leaky, up
from tfusq.transforms.networks import Network


def hyper_analysis(filters: int) -> Network:
  """Returns the classic network from latent to hyperlatent.

  Args:
    filters: Number of channels between the layers and of the hyperlatent, the paper's N.

  Returns:
    `[batch, height, width, latent_channels]` -> `[batch, height / 4, width / 4, filters]`.
  """
  return Network(
    [Conv2D(filters, 3), leaky(), down(filters), leaky(), down(filters)], name='hyper_analysis'
  )


def hyper_synthesis(width: int, outputs: int) -> Network:
  """Returns the classic network from hyperlatent to raw parameters or features.

  Args:
    width: Number of channels after the first layer, of which there are half as many again after the
      second; the paper's M.
    outputs: Number of output channels; for raw parameters, M times the entropy model's `channels`.

  Returns:
    `[batch, height, width, hyperlatent_channels]` -> `[batch, 4 height, 4 width, outputs]`.
  """
  return Network(
    [up(width), leaky(), up(width * 3 // 2), leaky(), Conv2D(outputs, 3)],
    name='hyper_synthesis',
  )


def channelwise_hyper_analysis(filters: int, latent_channels: int) -> Network:
  """Returns the channel-wise model's network from latent to hyperlatent.

  Args:
    filters: Number of channels of the hyperlatent, the paper's N.
    latent_channels: Number of channels of the latent, the paper's M. With M = 320 and N = 192, the
      layers have 320, 256 and 192 channels.

  Returns:
    `[batch, height, width, latent_channels]` -> `[batch, height / 4, width / 4, filters]`.

  #### References
  Minnen and Singh, Channel-wise autoregressive entropy models for learned image compression, 2020,
  Appendix C.2. https://arxiv.org/abs/2007.08739
  """
  return Network(
    [
      Conv2D(latent_channels, 3),
      leaky(),
      down(max(1, latent_channels * 4 // 5)),
      leaky(),
      down(filters),
    ],
    name='hyper_analysis',
  )


def channelwise_hyper_synthesis(filters: int, latent_channels: int) -> Network:
  """Returns the channel-wise model's network from hyperlatent to features.

  Args:
    filters: Number of channels of the hyperlatent, the paper's N.
    latent_channels: Number of channels of the latent, the paper's M. With M = 320 and N = 192, the
      layers have 192, 256 and 320 channels.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, latent_channels]`.
  """
  # The original has ReLU, which would leave a hyperlatent of zeros without any gradient.
  return Network(
    [
      up(filters),
      leaky(),
      up(max(1, latent_channels * 4 // 5)),
      leaky(),
      Conv2D(latent_channels, 3),
      leaky(),
    ]
  )


def residual_hyper_analysis(filters: int) -> Network:
  """Returns a network of 3x3 convolutions from latent to hyperlatent.

  Args:
    filters: Number of channels between the layers and of the hyperlatent, the paper's N.

  Returns:
    `[batch, height, width, latent_channels]` -> `[batch, height / 4, width / 4, filters]`.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, and the authors' code. https://arxiv.org/abs/2001.01568
  """
  return Network(
    [
      Conv2D(filters, 3),
      leaky(),
      Conv2D(filters, 3),
      leaky(),
      Conv2D(filters, 3, strides=2),
      leaky(),
      Conv2D(filters, 3),
      leaky(),
      Conv2D(filters, 3, strides=2),
    ],
    name='hyper_analysis',
  )


def residual_hyper_synthesis(filters: int) -> Network:
  """Returns a network of 3x3 convolutions from hyperlatent to features.

  Args:
    filters: Number of channels of the hyperlatent, the paper's N.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, 2 filters]`.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, and the authors' code. https://arxiv.org/abs/2001.01568
  """
  return Network(
    [
      Conv2D(filters, 3),
      leaky(),
      Conv2DTranspose(filters, 3, strides=2),
      leaky(),
      Conv2D(filters * 3 // 2, 3),
      leaky(),
      Conv2DTranspose(filters * 3 // 2, 3, strides=2),
      leaky(),
      Conv2D(2 * filters, 3),
    ],
    name='hyper_synthesis',
  )


def grouped_hyper_synthesis(filters: int) -> Network:
  """Returns the grouped model's network from hyperlatent to features.

  Args:
    filters: Number of channels of the hyperlatent, the paper's N.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, 2 filters]`.

  #### References
  He, Yang, Peng, Ma, Qin and Wang, ELIC: efficient learned image compression with unevenly grouped
  space-channel contextual adaptive coding, 2022, as in `Elic2022Official` of CompressAI. Its last
  layer is a transposed convolution of stride 1, which computes the same as the convolution here.
  https://arxiv.org/abs/2203.10886
  """
  return Network(
    [up(filters), leaky(), up(filters * 3 // 2), leaky(), Conv2D(2 * filters, 3)],
    name='hyper_synthesis',
  )
