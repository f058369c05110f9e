"""The walk through a model's latents that codes them: its two visitors, encoder and decoder.

A fingerprint of a part's table indexes is chained from piece to piece, or from wave to wave of a
serial context. It is checked at the part's end, before anything is computed from the part.
"""

import abc
from typing import NamedTuple

import tensorflow as tf

from tfusq.coding import Coder
from tfusq.export import bands, container_ops
from tfusq.models import CentredModel, Part, Visitor
from tfusq.models.wavefront import Serial
from tfusq.quantization.rounding import quantize

_INDEX_MISMATCH = (
  'this machine computes other table indexes than the one that wrote the file, or '
  'the file is corrupt: it cannot be decoded here'
)


class CodedPart(NamedTuple):
  """One part as it is coded, each tensor of the part's shape.

  Attributes:
    latent: Name of the latent.
    raw: Network output.
    parameters: Parameters from the entropy model.
    index: Table indexes from the coder.
    symbols: Symbols, `int32`.
    y_hat: Quantized latent, float.
  """

  latent: str
  raw: tf.Tensor
  parameters: NamedTuple
  index: tf.Tensor
  symbols: tf.Tensor
  y_hat: tf.Tensor


class _State(NamedTuple):
  """The state of one latent's coding, carried from part to part and from wave to wave.

  Attributes:
    handle: Handle of the range coder.
    bits: Expected bits of the parts so far; zero in the decoder.
    check: Fingerprint of the table indexes of the present part's pieces so far.
  """

  handle: tf.Tensor
  bits: tf.Tensor
  check: tf.Tensor


def _no_check() -> tf.Tensor:
  return tf.zeros([4], tf.int64)


class _CodingVisitor(Visitor):
  """The parts of encoder and decoder that are equal."""

  def __init__(
    self, centred_model: CentredModel, coders: dict[str, Coder], handles: list[tf.Tensor]
  ):
    self._centred_model = centred_model
    self._entropy_models = centred_model.model.entropy_models
    self._coders = coders

    self._states = {}
    for latent, handle in zip(coders, handles, strict=True):
      self._states[latent] = _State(handle, self._no_bits(), _no_check())

  def visit(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    def visit_piece(state, inputs):
      return self._visit_piece(state, part, *inputs)

    inputs = [raw, *self._known(part)]
    outputs = self._entropy_models[part.latent].channels
    # The index of no positions says how many channels a part has that nothing conditions.
    channels = raw.shape[3] // outputs if outputs else self._index(part, raw[:, :0])[1].shape[3]
    state, y_hat = bands.scan(visit_piece, self._states[part.latent], inputs, channels)
    self._states[part.latent] = state._replace(check=_no_check())

    # The indexes of an unconditional entropy model are the same on every machine.
    return self._verified(state.check, y_hat) if outputs else y_hat

  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    def visit_wave(state, part, raw):
      return self._visit_piece(state, part, raw, *self._known(part))

    state, y_hat = context.scan(visit_wave, self._states[part.latent], part)
    self._states[part.latent] = state._replace(check=_no_check())
    return self._verified(state.check, y_hat)

  def _visit_piece(
    self, state: _State, part: Part, raw: tf.Tensor, *known: tf.Tensor
  ) -> tuple[_State, tf.Tensor]:
    """Codes a piece of a part, and chains the fingerprint of its indexes to those before."""
    parameters, index = self._index(part, raw)
    state, y_hat = self._code(state, part, raw, parameters, index, *known)

    chained = tf.concat([tf.cast(state.check, tf.int32), tf.reshape(index, [-1])], 0)
    return state._replace(check=container_ops.fingerprint(chained)), y_hat

  def _known(self, part: Part) -> list[tf.Tensor]:
    """Returns what is known of a part before it is coded, of the part's shape."""
    del part
    return []

  def _index(self, part, raw):
    parameters = self._entropy_models[part.latent].parameters(raw)
    return parameters, self._coders[part.latent].index(parameters)

  def _no_bits(self):
    return tf.zeros([])

  @abc.abstractmethod
  def _code(
    self,
    state: _State,
    part: Part,
    raw: tf.Tensor,
    parameters: NamedTuple,
    index: tf.Tensor,
    *known: tf.Tensor,
  ) -> tuple[_State, tf.Tensor]:
    """Codes a piece of a part; returns the next state and the quantized piece.

    Args:
      state: State of the latent's coding.
      part: The part.
      raw: Network output for the piece.
      parameters: Parameters from the entropy model.
      index: Table indexes from the coder.
      *known: The piece of each result of `_known`.
    """

  @abc.abstractmethod
  def _verified(self, check: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns `value`, once a part's fingerprint `check` is known to be the one in the file."""


class Encoder(_CodingVisitor):
  """Writes the strings of one image.

  Attributes:
    checks: Fingerprint of each part's table indexes, `int64[4]`.
  """

  def __init__(
    self, centred_model: CentredModel, coders: dict[str, Coder], latents: dict[str, tf.Tensor]
  ):
    """Initializer.

    Args:
      centred_model: A codec's model, its variables created.
      coders: Coders from `make_coders`.
      latents: Real-valued latents of one image, by name.
    """
    super().__init__(centred_model, coders, [coder.encoder() for coder in coders.values()])
    self._latents = latents
    self.checks: list[tf.Tensor] = []

  def bits(self) -> dict[str, tf.Tensor]:
    """Returns the expected bits of each latent's string, a scalar each, by `expected_bits`."""
    return {latent: state.bits for latent, state in self._states.items()}

  def strings(self) -> list[tf.Tensor]:
    """Ends the strings and returns them, a scalar each, in coding order."""
    return [coder.finalize(self._states[latent].handle) for latent, coder in self._coders.items()]

  def expected_bits(self, coded: CodedPart) -> tf.Tensor:
    """Returns the expected bits of a part, a scalar: zero, where a subclass does not compute them.

    Args:
      coded: The part.
    """
    del coded
    return self._no_bits()

  def _known(self, part):
    return [part.of(self._latents[part.latent])]

  def _code(self, state, part, raw, parameters, index, y):
    # The range coder never returns from symbols that are not finite.
    is_finite = tf.reduce_all(tf.math.is_finite(y)) & tf.reduce_all(tf.math.is_finite(raw))
    message = f'the latent {part.latent} or what it is conditioned on is not finite'
    y = container_ops.verified(y, (is_finite, message))

    symbols, y_hat = quantize(y, self._centred_model.centre(part.latent, parameters))
    symbols = tf.cast(symbols, tf.int32)
    coded = CodedPart(part.latent, raw, parameters, index, symbols, y_hat)

    handle = self._coders[part.latent].encode(state.handle, symbols, index)
    bits = state.bits + self.expected_bits(coded)
    return state._replace(handle=handle, bits=bits), y_hat

  def _verified(self, check, value):
    self.checks.append(check)
    return value


class PricedEncoder(Encoder):
  """Also estimates the length of the strings: the entropy models' bits, at the coders' price."""

  def expected_bits(self, coded: CodedPart) -> tf.Tensor:
    bits = self._entropy_models[coded.latent].bits(coded.y_hat, coded.parameters)
    coder = self._coders[coded.latent]
    return tf.reduce_sum(coder.price(bits, coded.symbols, coded.index))


class Decoder(_CodingVisitor):
  """Reads the strings of one image."""

  def __init__(
    self,
    centred_model: CentredModel,
    coders: dict[str, Coder],
    strings: list[tf.Tensor],
    checks: list[tf.Tensor],
  ):
    """Initializer.

    Args:
      centred_model: A codec's model, its variables created.
      coders: Coders from `make_coders`.
      strings: Strings from `Encoder.strings`, known to be whole.
      checks: Fingerprints from `Encoder.checks`.
    """
    handles = []
    for coder, string in zip(coders.values(), strings, strict=True):
      handles.append(coder.decoder(string))
    super().__init__(centred_model, coders, handles)
    self._checks = iter(checks)

  def _code(self, state, part, raw, parameters, index):
    handle, symbols = self._coders[part.latent].decode(state.handle, index)
    symbols = tf.cast(symbols, tf.float32)
    centre = self._centred_model.centre(part.latent, parameters)
    y_hat = symbols if centre is None else symbols + centre
    return state._replace(handle=handle), y_hat

  def _verified(self, check, value):
    is_equal = tf.reduce_all(tf.equal(check, next(self._checks)))
    return container_ops.verified(value, (is_equal, _INDEX_MISMATCH))
