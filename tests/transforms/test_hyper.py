import tensorflow as tf

from tfusq import transforms


def test_shapes_of_the_hyper_transforms():
  y = tf.zeros([1, 4, 8, 6])
  for analysis in (
    transforms.hyper_analysis(4),
    transforms.channelwise_hyper_analysis(4, 10),
    transforms.residual_hyper_analysis(4),
  ):
    z = analysis(y)
    assert z.shape == [1, 1, 2, 4]
  for synthesis, channels in (
    (transforms.hyper_synthesis(6, 12), 12),
    (transforms.residual_hyper_synthesis(4), 8),
    (transforms.channelwise_hyper_synthesis(4, 10), 10),
    (transforms.grouped_hyper_synthesis(4), 8),
  ):
    assert synthesis(z).shape == [1, 4, 8, channels]
