"""The study of network sizes, and the digits that it reads."""

import gzip

import numpy as np
import pytest

import tfusq
from tfusq.analysis.studies import network
from tfusq.analysis.study import AnalysisError, Effort

DIGITS = np.random.default_rng(0).uniform(size=[8, 784]).astype(np.float32)


def test_what_cannot_be_enumerated_is_left_out():
  assert [
    network._enumerable(surrogate)
    for surrogate in (tfusq.SR(), tfusq.UQi(), tfusq.UQs(), tfusq.Round(), tfusq.SGA(0.5))
  ] == [True, True, False, False, False]


def test_the_study_has_a_row_for_each_size_of_both_networks(monkeypatch):
  monkeypatch.setattr(network, 'read_mnist', lambda folder: DIGITS)
  monkeypatch.setattr(network.DigitCodec, 'train', lambda self, digits, steps: None)
  (study,) = network.measure([tfusq.SR(), tfusq.Round()], Effort(), '.')
  assert {row['surrogate'] for row in study.rows} == {'SR'}
  assert {(row['analysis'], row['synthesis']) for row in study.rows} == {
    (analysis, synthesis) for analysis in (8, 32, 128) for synthesis in (8, 32, 128)
  }
  assert all(0 < row['mean_bias'] < row['greatest_bias'] for row in study.rows)
  axes, bar = study.figure.axes
  assert axes.get_title() == 'SR' and 'greatest bias' in bar.get_ylabel()
  row = next(row for row in study.rows if (row['analysis'], row['synthesis']) == (8, 128))
  assert axes.images[0].get_array()[0, 2] == row['greatest_bias']


def test_digits_are_read_and_what_is_none_is_refused(tmp_path):
  with pytest.raises(AnalysisError, match='give the folder of MNIST by --mnist'):
    network.measure([tfusq.SR()], Effort(), str(tmp_path))
  path = tmp_path / 'train-images-idx3-ubyte.gz'
  path.write_bytes(gzip.compress(b'\0\0\x08\x03' + bytes(100)))
  with pytest.raises(AnalysisError, match='not the 60,000 training images'):
    network.read_mnist(tmp_path)
  data = b'\0\0\x08\x03' + bytes(12) + bytes([0, 51, 255]) * (60_000 * 784 // 3)
  path.write_bytes(gzip.compress(data, 1))
  digits = network.read_mnist(tmp_path)
  assert digits.shape == (60_000, 784)
  assert digits[0, :3] == pytest.approx([0, 0.2, 1])
  with pytest.raises(AnalysisError, match='none of these does'):
    network.measure([tfusq.Round()], Effort(), str(tmp_path))
