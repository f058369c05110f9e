"""Reference rate-distortion curves to compare learned codecs with.

`pinned` has published curves, each of one image set and valid for no other; `live` codes any images
with conventional codecs. Nothing here imports TensorFlow.
"""

from tfusq.errors import Error


class AnchorError(Error, ValueError):
  """An anchor that is not available, or not of these images; says what to use instead."""
