"""A codec's bitstream, in TensorFlow: an image to a file, and a file to an image.

Encoder and decoder walk the model in the same way and in the same shapes, and turn what the
networks say into table indexes before anything is coded. A fingerprint of a part's indexes is
checked before the part is decoded; a part with a serial context has one for all its waves, checked
at its end, because each wave's indexes depend on the symbols before.
"""

from typing import NamedTuple

import tensorflow as tf

from tfusq.coding import Coder
from tfusq.errors import Error
from tfusq.export import container, container_ops
from tfusq.models import Part, Visitor
from tfusq.quantization.rounding import quantize
from tfusq.training.codec import Codec
from tfusq.transforms import exact

_IMAGE_LIMITS = (
  f'an image has 1 to {container.MAX_SIDE} rows and columns, and at most '
  f'{container.MAX_PIXELS} pixels'
)
_INDEX_MISMATCH = (
  'this machine computes other table indexes than the one that wrote the file, or '
  'the file is corrupt: it cannot be decoded here'
)


class ExportError(Error, RuntimeError):
  """A codec that has no bitstream; says why."""


def make_coders(codec: Codec) -> dict[str, Coder]:
  """Makes the coder of each latent of a created codec, by name, in coding order.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
  """
  try:
    return {
      name: entropy_model.coder(codec.zero_centre[name])
      for name, entropy_model in codec.model.entropy_models.items()
    }
  except NotImplementedError as error:
    raise ExportError(f'this codec has no bitstream: {error}') from error


class Coded(NamedTuple):
  """One part as it is coded, each tensor of the part's shape.

  Attributes:
    latent: Its name.
    raw: Network output.
    parameters: The entropy model's.
    index: The coder's.
    symbols: `int32`.
    y_hat: The quantized latent.
  """

  latent: str
  raw: tf.Tensor
  parameters: NamedTuple
  index: tf.Tensor
  symbols: tf.Tensor
  y_hat: tf.Tensor


class _State(NamedTuple):
  """How far a latent is coded.

  Attributes:
    handle: Of the range coder.
    bits: What the parts before should take; in the decoder nothing.
    check: Fingerprint of the indexes of the present part's waves before.
  """

  handle: tf.Tensor
  bits: tf.Tensor
  check: tf.Tensor


class _Coding(Visitor):
  """What encoder and decoder share."""

  def __init__(self, codec: Codec, coders: dict[str, Coder], handles: list[tf.Tensor]):
    self._model = codec.model
    self._zero_centre = codec.zero_centre
    self._coders = coders
    self._states = {
      name: _State(handle, self._no_bits(), tf.zeros([4], tf.int64))
      for name, handle in zip(coders, handles)
    }

  def visit(self, part, raw):
    parameters, index = self._index(part, raw)
    if self._model.entropy_models[part.latent].channels:
      index = self._checked(container_ops.fingerprint(index), index)
    self._states[part.latent], y_hat = self._code(
      self._states[part.latent], part, raw, parameters, index
    )
    return y_hat

  def visit_serially(self, part, context):
    state, y_hat = context.scan(self._wave, self._states[part.latent], part)
    self._states[part.latent] = state._replace(check=tf.zeros([4], tf.int64))
    return self._checked(state.check, y_hat)

  def _wave(self, state: _State, part: Part, raw: tf.Tensor) -> tuple[_State, tf.Tensor]:
    """Codes one wave of a part, and chains the fingerprint of its indexes to those before."""
    parameters, index = self._index(part, raw)
    state, y_hat = self._code(state, part, raw, parameters, index)
    chained = tf.concat([tf.cast(state.check, tf.int32), tf.reshape(index, [-1])], 0)
    return state._replace(check=container_ops.fingerprint(chained)), y_hat

  def _index(self, part, raw):
    parameters = self._model.entropy_models[part.latent].parameters(raw)
    return parameters, self._coders[part.latent].index(parameters)

  def _centre(self, latent, parameters):
    return (
      self._model.entropy_models[latent].centre(parameters) if self._zero_centre[latent] else None
    )

  def _no_bits(self):
    return tf.zeros([])

  def _code(self, state, part, raw, parameters, index) -> tuple[_State, tf.Tensor]:
    """Codes a piece of a latent; returns the next state and the quantized piece."""
    raise NotImplementedError

  def _checked(self, check, value):
    """Takes the next part's fingerprint; returns `value`, once that is known to be right."""
    raise NotImplementedError


class Encoder(_Coding):
  """Writes the strings of one image.

  Attributes:
    checks: Fingerprint of each part's indexes, `int64[4]`.
  """

  def __init__(self, codec: Codec, coders: dict[str, Coder], x: tf.Tensor):
    """Initializer.

    Args:
      codec: A created codec.
      coders: Of its entropy models, by the names of their latents.
      x: Image, `[1, height, width, 3]`, float, 0 to 1.
    """
    super().__init__(codec, coders, [coder.encoder() for coder in coders.values()])
    self._latents = codec.model.latents(x)
    self.checks = []

  def bits(self) -> dict[str, tf.Tensor]:
    """Returns what each latent's string should take, scalars."""
    return {name: state.bits for name, state in self._states.items()}

  def strings(self) -> list[tf.Tensor]:
    """Ends the strings and returns them, scalars."""
    return [coder.finalize(self._states[name].handle) for name, coder in self._coders.items()]

  def expected_bits(self, coded: Coded) -> tf.Tensor:
    """Returns what a part should take, for `bits`; a subclass that is asked for it computes it."""
    del coded
    return self._no_bits()

  def _code(self, state, part, raw, parameters, index):
    latent = part.of(self._latents[part.latent])
    with tf.control_dependencies(
      [
        tf.debugging.Assert(
          tf.reduce_all(tf.math.is_finite(latent)) & tf.reduce_all(tf.math.is_finite(raw)),
          [f'the latent {part.latent} or what it is conditioned on is not finite'],
        )
      ]
    ):
      latent = tf.identity(latent)
    symbols, y_hat = quantize(latent, self._centre(part.latent, parameters))
    coded = Coded(part.latent, raw, parameters, index, tf.cast(symbols, tf.int32), y_hat)
    return state._replace(
      handle=self._coders[part.latent].encode(state.handle, coded.symbols, index),
      bits=state.bits + self.expected_bits(coded),
    ), y_hat

  def _checked(self, check, value):
    self.checks.append(check)
    return value


class PricedEncoder(Encoder):
  """Also says what the strings should take: the entropy models' bits, at the coders' price."""

  def expected_bits(self, coded):
    bits = self._model.entropy_models[coded.latent].bits(coded.y_hat, coded.parameters)
    return tf.reduce_sum(self._coders[coded.latent].price(bits, coded.symbols, coded.index))


class Decoder(_Coding):
  """Reads the strings of one image."""

  def __init__(
    self, codec: Codec, coders: dict[str, Coder], strings: list[tf.Tensor], checks: list[tf.Tensor]
  ):
    """Initializer.

    Args:
      codec: A created codec.
      coders: Of its entropy models, by the names of their latents.
      strings: From `Encoder.strings`, known to be whole.
      checks: From `Encoder.checks`.
    """
    super().__init__(
      codec, coders, [coder.decoder(string) for coder, string in zip(coders.values(), strings)]
    )
    self._checks = iter(checks)

  def _code(self, state, part, raw, parameters, index):
    handle, symbols = self._coders[part.latent].decode(state.handle, index)
    symbols = tf.cast(symbols, tf.float32)
    centre = self._centre(part.latent, parameters)
    return state._replace(handle=handle), symbols if centre is None else symbols + centre

  def _checked(self, check, value):
    same = tf.reduce_all(tf.equal(check, next(self._checks)))
    with tf.control_dependencies([tf.debugging.Assert(same, [_INDEX_MISMATCH])]):
      return tf.identity(value)


def encode(
  codec: Codec,
  coders: dict[str, Coder],
  identity: bytes,
  image: tf.Tensor,
  kind: type[Encoder] = Encoder,
) -> tuple[tf.Tensor, Encoder, tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
  """Compresses an image, in TensorFlow.

  Args:
    codec: A created codec.
    coders: Of its entropy models.
    identity: The codec's.
    image: `uint8[height, width, 3]`.
    kind: Of the encoder.

  Returns:
    The file, a scalar string; the encoder; the decoder's latent; and the image's height and width.
  """
  height, width = tf.shape(image)[0], tf.shape(image)[1]
  sides = tf.cast(tf.shape(image)[:2], tf.int64)
  fits = tf.reduce_all((sides > 0) & (sides <= container.MAX_SIDE)) & (
    tf.reduce_prod(sides) <= container.MAX_PIXELS
  )
  with tf.control_dependencies([tf.debugging.Assert(fits, [_IMAGE_LIMITS])]):
    x = tf.cast(image, tf.float32)[None] / 255
  encoder = kind(codec, coders, x)
  with exact.arithmetic():
    y_hat = codec.model.walk(encoder, 1, height, width)
  data = container_ops.pack(identity, height, width, encoder.strings(), encoder.checks)
  return data, encoder, y_hat, (height, width)


def decode(
  codec: Codec, coders: dict[str, Coder], identity: bytes, data: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Decompresses a file as far as its latent, in TensorFlow.

  Args:
    codec: A created codec.
    coders: Of its entropy models.
    identity: The codec's.
    data: The file, a scalar string.

  Returns:
    The latent, and the image's height and width; computing them fails with `InvalidArgumentError`
    unless all of the file's checks hold.
  """
  model = codec.model
  height, width, strings, checks = container_ops.unpack(data, identity, len(coders), model.parts)
  height, width = tf.cast(height, tf.int32), tf.cast(width, tf.int32)
  with exact.arithmetic():
    y_hat = model.walk(Decoder(codec, coders, strings, checks), 1, height, width)
  return y_hat, height, width
