import numpy as np
import pytest
import tensorflow as tf

from tfusq import (
  ELIC,
  Bottleneck,
  Charm,
  Cheng,
  Convolutional,
  Factorized,
  Gaussian,
  GaussianMixture,
  MSContext,
  MSHyper,
  Residual,
)
from tfusq.testing.models import Calls

SERIAL = {
  'MS-context': lambda: MSContext(Gaussian(), Factorized(), 4, 6),
  'Cheng-anchor': lambda: Cheng(Gaussian(), Factorized(), 4, 6, hidden=12),
}


def conv(kernel, inputs, outputs):
  return kernel**2 * inputs * outputs + outputs


def gdn(channels):
  return channels**2 + channels


def transforms_of_2018(n, m):
  """Analysis and synthesis of Minnen et al. 2018 and 2020, a GDN being N^2 + N."""
  return {
    'analysis': conv(5, 3, n) + 2 * conv(5, n, n) + conv(5, n, m) + 3 * gdn(n),
    'synthesis': conv(5, m, n) + 2 * conv(5, n, n) + conv(5, n, 3) + 3 * gdn(n),
  }


def bottleneck(channels):
  half = channels // 2
  return conv(1, channels, half) + conv(3, half, half) + conv(1, half, channels)


def attention(channels):
  return 6 * bottleneck(channels) + conv(1, channels, channels)


def residual_transforms(n, m, attend):
  """Of Cheng et al. 2020, from the authors' code."""
  residual = {channels: 2 * conv(3, channels, channels) for channels in (n, m)}

  def down(inputs):
    return conv(3, inputs, n) + conv(3, n, n) + gdn(n) + conv(1, inputs, n)

  def up(inputs):
    return conv(3, inputs, 4 * n) + conv(3, n, n) + gdn(n) + conv(1, inputs, 4 * n)

  extra = attend * (attention(n) + attention(m))
  return {
    'analysis': down(3) + 2 * down(n) + 3 * residual[n] + conv(3, n, m) + extra,
    'synthesis': residual[m] + up(m) + 3 * residual[n] + 2 * up(n) + conv(3, n, 12) + extra,
  }


def bottleneck_transforms(n, m, blocks, attend):
  """Of He et al. 2022, Figure 3."""
  extra = attend * (attention(n) + attention(m)) + 3 * blocks * bottleneck(n)
  return {
    'analysis': conv(5, 3, n) + 2 * conv(5, n, n) + conv(5, n, m) + extra,
    'synthesis': conv(5, m, n) + 2 * conv(5, n, n) + conv(5, n, 3) + extra,
  }


def parameters_of(model):
  x = tf.zeros([1, 64, 64, 3])
  latents = model.latents(x)
  model.reconstruct(
    model.walk(Calls(lambda part, raw: part.of(latents[part.latent]), latents), 1, 64, 64), 64, 64
  )

  def count(networks):
    return sum(
      network.count_params() for network in (networks if isinstance(networks, list) else [networks])
    )

  return {
    name: count(getattr(model, name))
    for name in (
      'analysis',
      'synthesis',
      'hyper_analysis',
      'hyper_synthesis',
      'context',
      'parameters',
      'space_context',
      'channel_context',
    )
    if hasattr(model, name)
  }


def test_ms_hyper_at_paper_size_has_the_parameters_of_the_published_layers():
  """From the layer table of Minnen et al. 2018, with N=192, M=320."""
  n, m = 192, 320
  assert parameters_of(MSHyper(Gaussian(), Factorized())) == {
    **transforms_of_2018(n, m),
    'hyper_analysis': conv(3, m, n) + 2 * conv(5, n, n),
    'hyper_synthesis': conv(5, n, m) + conv(5, m, 3 * m // 2) + conv(3, 3 * m // 2, 2 * m),
  }


def test_a_hyper_synthesis_of_another_width_leaves_the_other_networks():
  n, m, width = 8, 12, 6
  narrow = parameters_of(MSHyper(Gaussian(), Factorized(), n, m, hyper_width=width))
  layers = conv(5, n, width) + conv(5, width, 3 * width // 2) + conv(3, 3 * width // 2, 2 * m)
  wide = parameters_of(MSHyper(Gaussian(), Factorized(), n, m))
  assert narrow == {**wide, 'hyper_synthesis': layers}


def test_ms_context_at_paper_size_has_the_parameters_of_the_published_layers():
  """From the layer table of Minnen et al. 2018; the numbers are those of CompressAI's mbt2018."""
  found = parameters_of(MSContext(Gaussian(), Factorized()))
  assert found == {
    **transforms_of_2018(192, 320),
    'hyper_analysis': 2396736,
    'hyper_synthesis': 8142240,
    'context': 5120640,
    'parameters': 2822257,
  }
  assert (found['analysis'], found['synthesis']) == (3505664, 3505347)  # CompressAI's too


@pytest.mark.parametrize('n, attend', [(128, False), (192, False), (192, True)])
def test_cheng_at_paper_size_has_the_parameters_of_the_published_layers(n, attend):
  """From the authors' code, but for a bias on three layers; the mixture has K=3.

  CompressAI's cheng2020_anchor and cheng2020_attn agree on the analysis and the hyper analysis;
  its shortcuts to twice the size are 3x3, and its entropy model a single Gaussian.
  """
  half = 3 * n // 2
  found = parameters_of(
    Cheng(GaussianMixture(), Factorized(), n, n, 640, Residual(attend), Residual(attend))
  )
  assert found == {
    **residual_transforms(n, n, attend),
    'hyper_analysis': 5 * conv(3, n, n),
    'hyper_synthesis': 2 * conv(3, n, n)
    + conv(3, n, half)
    + conv(3, half, half)
    + conv(3, half, 2 * n),
    'context': conv(5, n, 2 * n),
    'parameters': conv(1, 4 * n, 640) + conv(1, 640, 640) + conv(1, 640, 9 * n),
  }
  if n == 192:
    assert found['hyper_analysis'] == 1659840
    assert found['analysis'] == (5691456 if attend else 4175040)


def test_charm_at_paper_size_has_the_parameters_of_the_published_layers():
  """From `ms2020.py` of TensorFlow Compression, which adds no bias to the last hyper analysis."""
  n, m, depth = 192, 320, 32
  inputs = [m + depth * min(place, 5) for place in range(10)]
  assert parameters_of(Charm(Gaussian(), Factorized())) == {
    **transforms_of_2018(n, m),
    'hyper_analysis': conv(3, m, 320) + conv(5, 320, 256) + conv(5, 256, n),
    'hyper_synthesis': 2 * (conv(5, n, 192) + conv(5, 192, 256) + conv(3, 256, 320)),
    'context': 2
    * sum(conv(5, width, 224) + conv(5, 224, 128) + conv(3, 128, depth) for width in inputs),
  }


@pytest.mark.parametrize('blocks, attend', [(3, True), (1, False)])
def test_elic_at_paper_size_has_the_parameters_of_the_published_layers(blocks, attend):
  """The numbers are those of CompressAI's `Elic2022Official`; ELIC-sm has the same contexts."""
  transforms = Bottleneck(blocks, attend)
  found = parameters_of(ELIC(Gaussian(), Factorized(), analysis=transforms, synthesis=transforms))
  assert found == {
    **bottleneck_transforms(192, 320, blocks, attend),
    'hyper_analysis': 2396736,
    'hyper_synthesis': 3300192,
    'channel_context': 6158816,
    'space_context': sum([12832, 12832, 51264, 204928, 1843584]),
    'parameters': sum([320288, 332576, 369472, 530389, 1853312]),
  }
  if attend:
    assert (found['analysis'], found['synthesis']) == (7337792, 7337475)


FAMILIES = {
  'conv': (Convolutional(), lambda n, m: transforms_of_2018(n, m)),
  'res': (Residual(), lambda n, m: residual_transforms(n, m, False)),
  'res+attn': (Residual(True), lambda n, m: residual_transforms(n, m, True)),
  'bottleneck': (Bottleneck(2, True), lambda n, m: bottleneck_transforms(n, m, 2, True)),
}


@pytest.mark.parametrize(
  'analysis, synthesis',
  [('conv', 'res'), ('res', 'res+attn'), ('res+attn', 'bottleneck'), ('bottleneck', 'conv')],
)
def test_analysis_and_synthesis_are_chosen_separately(analysis, synthesis):
  found = parameters_of(
    MSHyper(Gaussian(), Factorized(), 4, 6, FAMILIES[analysis][0], FAMILIES[synthesis][0])
  )
  assert found['analysis'] == FAMILIES[analysis][1](4, 6)['analysis']
  assert found['synthesis'] == FAMILIES[synthesis][1](4, 6)['synthesis']


def test_a_slice_is_conditioned_on_the_first_ones_before_it():
  model = Charm(Gaussian(), Factorized(), 4, 10, slices=5, max_support=2)
  latents = model.latents(tf.random.stateless_uniform([1, 64, 64, 3], [1, 2]))

  def raws(changed=None):
    seen = []

    def visit(part, raw):
      seen.append(raw.numpy())
      return part.of(latents[part.latent]) + 3.0 * (len(seen) - 2 == changed)

    model.walk(Calls(visit, latents), 1, 64, 64)
    return seen[1:]

  before = raws()
  for changed in range(5):
    apart = [not np.array_equal(a, b) for a, b in zip(before, raws(changed))]
    assert apart == [changed < 2 and place > changed for place in range(5)]


def test_an_elic_part_is_conditioned_on_those_before_it_and_sees_the_other_colour():
  model = ELIC(Gaussian(), Factorized(), 4, 6, groups=(1, 2, 3))
  latents = model.latents(tf.random.stateless_uniform([1, 144, 144, 3], [1, 2]))

  def raws(changed=None):
    seen = []

    def visit(part, raw):
      seen.append(raw.numpy())
      y = part.of(latents[part.latent])
      # One component in the middle: of a 9x9 latent each colour has about 40.
      return y + 3.0 * (len(seen) - 2 == changed) * tf.one_hot([20], y.shape[1])[..., None, None]

    model.walk(Calls(visit, latents), 1, 144, 144)
    return seen[1:]

  before = raws()
  first, second = (
    {(k // 9, k % 9) for k in range(81) if (k // 9 + k % 9) % 2 == colour} for colour in (0, 1)
  )
  for changed in range(6):
    after = raws(changed)
    apart = [not np.array_equal(a, b) for a, b in zip(before, after)]
    # A first colour is seen by its group's second, and whole groups by those after.
    assert apart == [
      place > changed and (place // 2 > changed // 2 or changed % 2 == 0) for place in range(6)
    ]
    if changed % 2 == 0:
      row, column = sorted(first)[20]
      touched = np.abs(before[changed + 1] - after[changed + 1])[0, :, 0].max(-1) > 0
      assert {at for at, apart in zip(sorted(second), touched) if apart} == {
        at for at in second if max(abs(at[0] - row), abs(at[1] - column)) <= 2
      }


@pytest.mark.parametrize('make', SERIAL.values(), ids=SERIAL)
def test_a_serial_position_is_conditioned_on_the_twelve_before_it(make):
  model = make()
  latents = model.latents(tf.random.stateless_uniform([1, 112, 112, 3], [1, 2]))
  at = 3, 2  # of a 7x7 latent
  change = tf.pad(
    5.0 * tf.ones([1, 1, 1, 6]), [[0, 0], [at[0], 6 - at[0]], [at[1], 6 - at[1]], [0, 0]]
  )
  raws = []

  class Context(Calls):
    def visit_serially(self, part, context):
      raws.extend(context.raw(y).numpy() for y in (latents['y'], latents['y'] + change))
      return latents['y']

  model.walk(Context(lambda part, raw: part.of(latents[part.latent]), latents), 1, 112, 112)
  touched = np.argwhere(np.abs(raws[0] - raws[1])[0].max(-1) > 0).tolist()
  assert touched == [
    [row, column]
    for row in range(7)
    for column in range(7)
    if abs(column - at[1]) <= 2 and (0 < row - at[0] <= 2 or row == at[0] and column > at[1])
  ]


@pytest.mark.parametrize(
  'arguments, named',
  [({'slices': 3}, 'must divide'), ({'slices': 0}, 'must divide'), ({'max_support': -1}, 'max_s')],
)
def test_charm_names_what_is_out_of_range(arguments, named):
  with pytest.raises(ValueError, match=named):
    Charm(Gaussian(), Factorized(), 4, 10, **arguments)


@pytest.mark.parametrize(
  'arguments, named',
  [
    ({'filters': 0}, 'filters'),
    ({'hyper_width': 0}, 'hyper_width'),
    ({'hyper_width': 1.5}, 'hyper_width'),
    ({'entropy_model': Factorized()}, 'entropy_model'),
    ({'hyper_entropy_model': Gaussian()}, 'hyper_entropy_model'),
  ],
)
def test_what_does_not_fit_is_named(arguments, named):
  with pytest.raises(ValueError, match=named):
    MSHyper(**{'entropy_model': Gaussian(), 'hyper_entropy_model': Factorized(), **arguments})
