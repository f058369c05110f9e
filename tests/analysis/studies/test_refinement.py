"""What refinement saves, compared with the functions of the exported codec."""

import numpy as np
import pytest
from scipy import stats

from decoded import cost
from making import make_refiner
from tfusq import image_files
from tfusq.analysis.studies import refinement
from tfusq.export.effort import Effort


def test_it_codes_as_the_exported_codec_and_takes_means(trained, refining_codec, refined_images):
  refinements = {'sga': make_refiner(trained).refinement}
  each, means = refinement.measure(trained, refinements, str(refined_images), [0, 10], seed=3)
  assert len(each.rows) == 4

  for row in each.rows:
    image = image_files.read_image(refined_images / row['image'])
    plain = refining_codec.compress(image)
    refined = refining_codec.refine(image, Effort(row['iterations'], seed=3))
    assert (row['plain_size'], row['size']) == (len(plain), len(refined))
    costs = [cost(refining_codec, image, data, trained.lmbda) for data in (plain, refined)]
    assert [row['plain_cost'], row['cost']] == pytest.approx(costs, rel=1e-5)
    assert row['change_percent'] == pytest.approx(100 * (costs[1] / costs[0] - 1), abs=1e-3)
    assert row['change_percent'] <= 0 < row['seconds']

  for mean, iterations in zip(means.rows, (0, 10), strict=True):
    changes = [row['change_percent'] for row in each.rows if row['iterations'] == iterations]
    assert (mean['iterations'], mean['images']) == (iterations, 2)
    low, high = stats.t.interval(0.95, 1, np.mean(changes), stats.sem(changes))
    assert mean['cost_percent'] == pytest.approx((low + high) / 2)
    assert mean['half_width'] == pytest.approx((high - low) / 2)
