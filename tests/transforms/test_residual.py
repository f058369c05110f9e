import pytest

from tfusq import transforms


@pytest.mark.parametrize('blocks', [0, 2.0])
def test_bottlenecks_are_a_positive_number(blocks):
  with pytest.raises(ValueError, match='Bottleneck.blocks'):
    transforms.Bottleneck(blocks)
