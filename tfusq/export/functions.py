"""The functions of an exported codec, in TensorFlow.

    compress(image)           an image to a file
    decompress(data)          a file to an image
    evaluate(image)           an image to a file, the estimated bits of its sections, and the
                              decoder's image

At a variable rate `compress` and `evaluate` also take a quality, from 1 to the number of levels,
and are of the middle one without; and there are

    compress_to_bytes(image, limit)   the file of the best quality that has at most `limit` bytes
    compress_to_psnr(image, limit)    the file of the lowest quality with a PSNR of `limit` dB

A codec that refines has also

    refine(image, iterations, seconds, seed)   an image to a file, its latents optimized before

which at a variable rate takes a quality after them, and `refine_to_bytes` and `refine_to_psnr`,
which take a limit before them.

A loaded function is traced again for each value of Python's numbers that it is given, which takes a
second: NumPy's numbers and tensors are the ones to give many of.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfusq.export import arguments, bitstream, limits, visitors
from tfusq.export.bitstream import Coding, EncodedImage
from tfusq.export.refining import Refining
from tfusq.models import in_tiles, tracing
from tfusq.refinement import Budget, Refiner
from tfusq.transforms import exact


class Functions:
  """The functions of a codec, traced when they are first needed; networks are traced once.

  Attributes:
    decoder_only: Whether `decompress` is the only function.
  """

  def __init__(
    self,
    coding: Coding,
    store: exact.Store,
    decoder_only: bool = False,
    refiner: Refiner | None = None,
  ):
    """Initializer.

    Args:
      coding: A codec's coding.
      store: Store of the weights that are rounded for exact arithmetic.
      decoder_only: Whether `decompress` is the only function.
      refiner: Refiner of latents; None where there is no function `refine`.
    """
    self.decoder_only = decoder_only
    self._coding = coding
    self._store = store

    model = coding.centred_model.model
    parts = [model, *model.submodules, *(refiner.refinement.submodules if refiner else ())]
    traced = functools.partial(_traced, tracing.needs_autograph(parts))
    self._analyze = traced(functools.partial(in_tiles.first_latents, model), [arguments.IMAGE])
    # Its signature is what the walk gives, whose channels are known.
    self._reconstruct = traced(functools.partial(in_tiles.reconstruct, model))
    self._encode = traced(self._encode_first)
    self._best_within = traced(self._search_best_within)
    self._least_reaching = traced(self._search_least_reaching)

    self.decompress = traced(self._decompress, [arguments.DATA])
    self.compress = traced(self._compress, [arguments.IMAGE])
    self.evaluate = traced(self._evaluate, [arguments.IMAGE])
    at_quality = [arguments.IMAGE, arguments.QUALITY]
    self.compress_at = traced(self._compress, at_quality)
    self.evaluate_at = traced(self._evaluate, at_quality)
    self.compress_to_bytes = traced(self._compress_to_bytes, [arguments.IMAGE, arguments.BYTES])
    self.compress_to_psnr = traced(self._compress_to_psnr, [arguments.IMAGE, arguments.PSNR])

    self._refining = refiner and Refining(coding, store, refiner, self._reconstruct, traced)
    of_effort = [arguments.IMAGE, *arguments.EFFORT]
    self.refine = traced(self._refine, of_effort)
    self.refine_at = traced(self._refine, [*of_effort, arguments.QUALITY])
    to_bytes = [arguments.IMAGE, arguments.BYTES, *arguments.EFFORT]
    self.refine_to_bytes = traced(self._refine_to_bytes, to_bytes)
    to_psnr = [arguments.IMAGE, arguments.PSNR, *arguments.EFFORT]
    self.refine_to_psnr = traced(self._refine_to_psnr, to_psnr)

  @property
  def _has_qualities(self) -> bool:
    return self._coding.qualities.steps > 1

  def served(self) -> dict[str, tf.types.experimental.GenericFunction]:
    """Returns the functions that become signatures, by name."""
    if self.decoder_only:
      return {'decompress': self.decompress, 'serving_default': self.decompress}

    served = {
      'decompress': self.decompress,
      'compress': self.compress,
      'evaluate': self.evaluate,
      'serving_default': self.compress,
    }
    if self._has_qualities:
      served['compress_at'] = self.compress_at
      served['evaluate_at'] = self.evaluate_at
      served['compress_to_bytes'] = self.compress_to_bytes
      served['compress_to_psnr'] = self.compress_to_psnr
    if self._refining:
      served['refine'] = self.refine
      if self._has_qualities:
        served['refine_at'] = self.refine_at
        served['refine_to_bytes'] = self.refine_to_bytes
        served['refine_to_psnr'] = self.refine_to_psnr
    return served

  def for_python(self) -> dict[str, tf.types.experimental.GenericFunction]:
    """Returns the functions that a client in Python calls, by name."""
    decompress = {'decompress': arguments.data_function(self.decompress)}
    if self.decoder_only:
      return decompress

    return decompress | self._encoding_for_python() | self._refining_for_python()

  def _encoding_for_python(self):
    if not self._has_qualities:
      return {
        'compress': arguments.image_function(_file_of(self.compress)),
        'evaluate': arguments.image_function(_with_data(self.evaluate)),
      }
    return {
      'compress': arguments.quality_function(_file_of(self.compress), _file_of(self.compress_at)),
      'evaluate': arguments.quality_function(
        _with_data(self.evaluate), _with_data(self.evaluate_at)
      ),
      'compress_to_bytes': arguments.limit_function(
        _file_of(self.compress_to_bytes), arguments.BYTES
      ),
      'compress_to_psnr': arguments.limit_function(_file_of(self.compress_to_psnr), arguments.PSNR),
    }

  def _refining_for_python(self):
    if not self._refining:
      return {}
    refine = _file_of(self.refine)
    if not self._has_qualities:
      return {'refine': arguments.effort_function(refine)}
    to_bytes, to_psnr = _file_of(self.refine_to_bytes), _file_of(self.refine_to_psnr)
    return {
      'refine': arguments.effort_function(refine, _file_of(self.refine_at)),
      'refine_to_bytes': arguments.limited_effort_function(to_bytes, arguments.BYTES),
      'refine_to_psnr': arguments.limited_effort_function(to_psnr, arguments.PSNR),
    }

  def _compress(self, image, quality=None):
    first, sides = self._first(image)
    data, _ = self._encode(first, self._step(quality), *sides)
    return {'data_bytes': data}

  def _decompress(self, data):
    with exact.storing(self._store):
      y_hat, height, width = bitstream.decode(self._coding, data)
    return self._reconstruct(y_hat, height, width)

  def _evaluate(self, image, quality=None):
    first, sides = self._first(image)
    encoded = self._encoded(first, self._step(quality), *sides, visitors.PricedEncoder)
    return {
      'data_bytes': encoded.data,
      'bits': tf.stack(list(encoded.encoder.bits().values())),
      'reconstruction': self._reconstruct(encoded.y_hat, *sides),
    }

  def _compress_to_bytes(self, image, limit):
    first, sides = self._first(image)
    found = self._best_within(first, limit, *sides)
    # The last one tried was the lowest quality, where none fits.
    return {'data_bytes': limits.verified_size(found.data, found.step >= 0, limit, found.last)}

  def _compress_to_psnr(self, image, limit):
    first, sides = self._first(image)
    found = self._least_reaching(image, first, limit, *sides)
    is_found = found.step < self._coding.qualities.steps
    return {'data_bytes': limits.verified_psnr(found.data, is_found, limit, found.last)}

  def _search_best_within(self, first, limit, height, width):
    encode = functools.partial(self._encode_at, first, height, width)
    return limits.best_within(encode, limit, self._coding.qualities.steps)

  def _search_least_reaching(self, image, first, limit, height, width):
    encode = functools.partial(self._encode_at, first, height, width)

    def reconstruct(y_hat):
      return self._reconstruct(y_hat, height, width)

    return limits.least_reaching(encode, reconstruct, image, limit, self._coding.qualities.steps)

  def _encode_at(self, first, height, width, step):
    return self._encode(first, step, height, width)

  def _refine(self, image, iterations, seconds, seed, quality=None):
    first, _ = self._first(image)
    budget = Budget(iterations, seconds, seed)
    _, refined = self._refining.both(image, first, self._step(quality), budget)
    return {'data_bytes': refined.data}

  def _refine_to_bytes(self, image, limit, iterations, seconds, seed):
    first, sides = self._first(image)

    def step(limit):
      return tf.maximum(self._best_within(first, limit, *sides).step, 0)

    kind = limits.of_size(limit, step)
    is_found, best, last = self._best_refined(kind, image, first, limit, iterations, seconds, seed)
    return {'data_bytes': limits.verified_size(best.data, is_found, limit, last.size)}

  def _refine_to_psnr(self, image, limit, iterations, seconds, seed):
    first, sides = self._first(image)
    highest = self._coding.qualities.steps - 1

    def step(limit):
      return tf.minimum(self._least_reaching(image, first, limit, *sides).step, highest)

    kind = limits.of_psnr(limit, step)
    is_found, best, last = self._best_refined(kind, image, first, limit, iterations, seconds, seed)
    return {'data_bytes': limits.verified_psnr(best.data, is_found, limit, last.psnr)}

  def _best_refined(self, kind, image, first, limit, iterations, seconds, seed):
    def both(step, budget):
      return self._refining.both(image, first, step, budget)

    return limits.best_refined(kind, both, limit, Budget(iterations, seconds, seed))

  def _first(self, image):
    """Returns the first latents of an image, and its height and width."""
    image = bitstream.checked(self._coding, image)
    return self._analyze(image), tf.unstack(tf.shape(image)[:2])

  def _step(self, quality: tf.Tensor | None) -> tf.Tensor:
    qualities = self._coding.qualities
    if quality is None:
      return tf.constant(qualities.default_step)
    return qualities.step_of(quality)

  def _encode_first(self, first, step, height, width):
    """Returns the file of an image at a step, and what synthesis reconstructs it from."""
    encoded = self._encoded(first, step, height, width)
    return encoded.data, encoded.y_hat

  def _encoded(
    self,
    first: dict[str, tf.Tensor],
    step: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
    encoder_class: type[visitors.Encoder] = visitors.Encoder,
  ) -> EncodedImage:
    quality = self._coding.qualities.at(step)
    with exact.storing(self._store):
      latents = in_tiles.all_latents(self._coding.centred_model.model, first, quality.gains)
      return bitstream.encode_latents(self._coding, latents, quality, height, width, encoder_class)


def _traced(
  autograph: bool,
  function: Callable,
  signature: list[tf.TensorSpec] | None = None,
  alone: bool = False,
) -> tf.types.experimental.GenericFunction:
  """Returns a function to be traced, of which only what is not our own is converted.

  Args:
    autograph: Whether something is not our own.
    function: The function.
    signature: Specifications of its arguments; None for those of the first call.
    alone: Whether it remains a function in the graphs that call it.
  """
  attributes = {'_noinline': True} if alone else None
  return tf.function(function, signature, autograph=autograph, experimental_attributes=attributes)


def _file_of(function: Callable[..., dict[str, tf.Tensor]]) -> Callable[..., tf.Tensor]:
  """Returns a function of the same arguments that gives the file alone."""
  return lambda *inputs: function(*inputs)['data_bytes']


def _with_data(function: Callable[..., dict[str, tf.Tensor]]) -> Callable[..., dict[str, Any]]:
  """Returns a function whose outputs are named for callers in Python."""

  def renamed(*inputs):
    outputs = function(*inputs)
    return {'data' if name == 'data_bytes' else name: value for name, value in outputs.items()}

  return renamed
