"""Hyper analysis and synthesis."""

import tensorflow as tf

from tfusq.transforms.layers import Conv2D, Conv2DTranspose, down, leaky, up


def hyper_analysis(filters: int) -> tf.keras.Sequential:
  """Latent to hyperlatent, 4 times smaller a side.

  Args:
    filters: The paper's N, also the number of hyperlatent channels.

  Returns:
    `[batch, height, width, latent channels]` -> `[batch, height / 4, width / 4, filters]`.
  """
  return tf.keras.Sequential(
    [Conv2D(filters, 3), leaky(), down(filters), leaky(), down(filters)], name='hyper_analysis'
  )


def hyper_synthesis(latent_channels: int, outputs: int) -> tf.keras.Sequential:
  """Hyperlatent to the entropy model's raw parameters, 4 times larger a side.

  Args:
    latent_channels: The paper's M.
    outputs: Channels in all, the entropy model's `channels` times M.

  Returns:
    `[batch, height, width, hyperlatent channels]` -> `[batch, 4 height, 4 width, outputs]`.
  """
  return tf.keras.Sequential(
    [up(latent_channels), leaky(), up(latent_channels * 3 // 2), leaky(), Conv2D(outputs, 3)],
    name='hyper_synthesis',
  )


def channelwise_hyper_analysis(filters: int, latent_channels: int) -> tf.keras.Sequential:
  """Latent to hyperlatent, 4 times smaller a side, of the channel-wise model.

  Args:
    filters: The paper's N, also the number of hyperlatent channels.
    latent_channels: The paper's M; of 320 and 192, the widths are 320, 256 and 192.

  Returns:
    `[batch, height, width, latent channels]` -> `[batch, height / 4, width / 4, filters]`.

  #### References
  Minnen and Singh, Channel-wise autoregressive entropy models, 2020, Appendix C.2.
  """
  return tf.keras.Sequential(
    [
      Conv2D(latent_channels, 3),
      leaky(),
      down(max(1, latent_channels * 4 // 5)),
      leaky(),
      down(filters),
    ],
    name='hyper_analysis',
  )


def channelwise_hyper_synthesis(filters: int, latent_channels: int) -> tf.keras.Sequential:
  """Hyperlatent to features of the channel-wise model, 4 times larger a side.

  Args:
    filters: The paper's N.
    latent_channels: The paper's M; of 320 and 192, the widths are 192, 256 and 320.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, latent_channels]`.
  """
  # Where the original has ReLU, which a hyperlatent of zeros would leave without any gradient.
  return tf.keras.Sequential(
    [
      up(filters),
      leaky(),
      up(max(1, latent_channels * 4 // 5)),
      leaky(),
      Conv2D(latent_channels, 3),
      leaky(),
    ]
  )


def residual_hyper_analysis(filters: int) -> tf.keras.Sequential:
  """Latent to hyperlatent, 4 times smaller a side, by 3x3 convolutions.

  Args:
    filters: The paper's N, also the number of hyperlatent channels.

  Returns:
    `[batch, height, width, latent channels]` -> `[batch, height / 4, width / 4, filters]`.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, and the authors' code.
  """
  return tf.keras.Sequential(
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


def residual_hyper_synthesis(filters: int) -> tf.keras.Sequential:
  """Hyperlatent to features, 4 times larger a side, by 3x3 convolutions; as above.

  Args:
    filters: The paper's N.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, 2 filters]`.
  """
  return tf.keras.Sequential(
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


def grouped_hyper_synthesis(filters: int) -> tf.keras.Sequential:
  """Hyperlatent to features of the grouped model, 4 times larger a side.

  Args:
    filters: The paper's N.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, 2 filters]`.

  #### References
  He, Yang, Peng, Ma, Qin and Wang, ELIC, 2022, as `Elic2022Official` of CompressAI has it, whose
  last layer is a transposed convolution of stride 1, the same as this.
  """
  return tf.keras.Sequential(
    [up(filters), leaky(), up(filters * 3 // 2), leaky(), Conv2D(2 * filters, 3)],
    name='hyper_synthesis',
  )
