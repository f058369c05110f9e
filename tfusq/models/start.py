"""How a model with a hyperlatent starts from data."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.transforms import LINEAR

# Pixels over which latents are measured, and pixels at a time.
_MEASURED = 2**21
_AT_ONCE = 2**18


class RawLayers(NamedTuple):
  """Layers whose outputs, one after the other, are the raw parameters of some channels.

  Attributes:
    channels: Channels of the image's own latent.
    layers: The layers, of `tfusq.transforms`.
  """

  channels: slice
  layers: list[tf.keras.layers.Layer]


def initialize_from_data(model: tf.keras.layers.Layer, x: np.ndarray) -> None:
  """Starts a model's transforms, then its entropy models at what the latents then are.

  Args:
    model: Created `Hyperprior`.
    x: Images, `[batch, height, width, 3]`, float, 0 to 1.
  """
  for transform in (model.analysis, model.synthesis):
    if hasattr(transform, 'initialize_from_data'):
      transform.initialize_from_data(x)

  means = _mean_absolute_values(model, x)
  for latent, entropy_model in model.entropy_models.items():
    entropy_model.initialize_from_data(means[latent])

  entropy_model = model.entropy_models[model.image_latent]
  for part in model.raw_layers():
    raw = entropy_model.initial_raw(means[model.image_latent][part.channels])
    if raw is not None:
      for layer, bias in zip(part.layers, np.split(raw, len(part.layers)), strict=True):
        _begin_at(layer, bias)


def _mean_absolute_values(model: tf.keras.layers.Layer, x: np.ndarray) -> dict[str, np.ndarray]:
  """Returns the mean absolute value of each channel of the latents, by the latent's name."""
  pixels = x.shape[1] * x.shape[2]
  measured = x[: max(1, _MEASURED // pixels)]
  at_once = max(1, _AT_ONCE // pixels)

  sums: dict[str, np.ndarray] = dict.fromkeys(model.entropy_models, np.zeros([]))
  counts = dict.fromkeys(model.entropy_models, 0)
  for start in range(0, len(measured), at_once):
    for latent, y in model.latents(tf.constant(measured[start : start + at_once])).items():
      magnitudes = np.abs(np.asarray(y, np.float64)).reshape(-1, y.shape[-1])
      sums[latent] = sums[latent] + magnitudes.sum(0)
      counts[latent] += len(magnitudes)
  return {latent: sums[latent] / counts[latent] for latent in sums}


def _begin_at(layer: tf.keras.layers.Layer, bias: np.ndarray) -> None:
  """Makes a layer's output a constant at first."""
  if not isinstance(layer, LINEAR):
    raise TypeError(f'raw parameters must come from a layer of tfusq.transforms, not {layer!r}')
  layer.kernel.assign(tf.zeros_like(layer.kernel))
  layer.bias.assign(bias)
