"""Changed files end in an error or a picture; `support/fuzz.py` tries ten thousand."""

import numpy as np
import pytest

import tfusq
from fuzz import forge, fuzz
from making import code_in_small_pieces, make_codec
from tfusq.export import client, container, container_ops, saved_model


def test_forged_files_have_the_right_checksum(exported_codec, photograph):
  data = exported_codec.compress(photograph[:64, :64])
  rng = np.random.default_rng(1)
  forged = [forge(data, rng) for _ in range(20)]
  size = container.read_header(data).bytes
  for file in forged:
    before, checksum, body = file[: size - 4], file[size - 4 : size], file[size:]
    assert container_ops.fingerprint_of(before + body) == checksum
  assert len(set(forged)) > 15


def test_some_changed_files(exported_codec, photograph):
  (mutated, _), (hostile, longest) = fuzz(exported_codec, photograph[:64, :64], 300, 60)
  assert sum(mutated.values()) == 300 and sum(hostile.values()) == 60
  assert not mutated['GARBAGE'] and len(mutated) >= 4
  assert 5 < hostile['picture'] < 55  # some reach the latent's decoder
  assert longest < 60


@pytest.mark.long
def test_some_changed_files_of_a_nonzero_centre_mixture_in_pieces(
  photograph, tmp_path, monkeypatch
):
  code_in_small_pieces(monkeypatch)
  codec = make_codec(4, 6, zero_centre=False, entropy_model=tfusq.GaussianMixture(2))
  last = codec.model.analysis.layers[-1]
  last.kernel.assign(100 * last.kernel)
  saved_model.export(codec.centred_model, tmp_path / 'codec', {})
  (mutated, _), (hostile, longest) = fuzz(
    client.ExportedCodec(tmp_path / 'codec'), photograph[:100, :90], 100, 60
  )
  assert not mutated['GARBAGE'] and 0 < hostile['picture'] < 60 and longest < 60


def test_some_changed_files_of_a_variable_rate(variable_codec, photograph):
  (mutated, _), (hostile, longest) = fuzz(variable_codec, photograph[100:180, 100:196], 60, 60)
  assert not mutated['GARBAGE'] and 0 < hostile['picture'] < 60 and longest < 60


@pytest.mark.slow
def test_many_changed_files(exported_codec, photograph):
  (mutated, slowest), (hostile, longest) = fuzz(exported_codec, photograph[:64, :64], 10_000, 2_000)
  assert sum(mutated.values()) == 10_000 and sum(hostile.values()) == 2_000
  assert not mutated['GARBAGE']
  assert max(slowest, longest) < 60
