"""What refinement saves, compared with the functions of the exported codec."""

import numpy as np
import pytest
from scipy import stats

import tfusq
from decoded import cost
from tfusq import image_files
from tfusq.analysis.studies import refinement
from tfusq.export.effort import Effort
from tfusq.refinement import Refinement


@pytest.fixture(scope='module')
def images(photograph, tmp_path_factory):
  folder = tmp_path_factory.mktemp('images')
  for name, left in (('left', 0), ('right', 200)):
    image = photograph[100:164, left : left + 80]
    (folder / f'{name}.png').write_bytes(image_files.encode(image, 'PNG'))
  return folder


def test_it_codes_as_the_exported_codec_and_takes_means(trained, refining_codec, images):
  tau = tfusq.Exponential(0.5, 0.0025, 200, 0.1)
  sga = tfusq.Quantizer(tfusq.SGA(tau), tfusq.PGE())
  refinements = {'sga': Refinement(sga, sga)}
  each, means = refinement.measure(trained, refinements, str(images), [0, 10], seed=3)
  assert len(each.rows) == 4

  for row in each.rows:
    image = image_files.read_image(images / row['image'])
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


def test_a_quality_is_that_of_the_exported_codec(variable, variable_refining_codec, images):
  sua = tfusq.Quantizer(tfusq.SUA(5.0), tfusq.PGE())
  refinements = {'sua': Refinement(sua, sua)}
  each, _ = refinement.measure(variable, refinements, str(images), [0], quality=1.5)
  for row in each.rows:
    image = image_files.read_image(images / row['image'])
    assert row['plain_size'] == len(variable_refining_codec.compress(image, 1.5))
    refined = variable_refining_codec.refine(image, Effort(0), 1.5)
    assert row['size'] == len(refined)
