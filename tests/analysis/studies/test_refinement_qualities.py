"""What refinement saves at a quality of a codec of variable rate."""

import tfusq
from tfusq import image_files
from tfusq.analysis.studies import refinement
from tfusq.export.effort import Effort
from tfusq.refinement import Refinement


def test_a_quality_is_that_of_the_exported_codec(variable, variable_refining_codec, refined_images):
  sua = tfusq.Quantizer(tfusq.SUA(5.0), tfusq.PGE())
  refinements = {'sua': Refinement(sua, sua)}
  each, _ = refinement.measure(variable, refinements, str(refined_images), [0], quality=1.5)
  for row in each.rows:
    image = image_files.read_image(refined_images / row['image'])
    assert row['plain_size'] == len(variable_refining_codec.compress(image, 1.5))
    refined = variable_refining_codec.refine(image, Effort(0), 1.5)
    assert row['size'] == len(refined)
