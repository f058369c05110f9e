"""A codec's identity: the hash by which exported codecs and their files know each other."""

import hashlib

from tfusq.coding import Coder
from tfusq.export import container
from tfusq.export.qualities import Qualities
from tfusq.models import CentredModel
from tfusq.transforms import exact


def codec_identity(
  centred_model: CentredModel, coders: dict[str, Coder], qualities: Qualities
) -> bytes:
  """Hashes what decoding needs: format, arithmetic, weights, tables, gains, centring.

  Exported codecs are named by it, and files name their codec by it: whatever it hashes, and its
  order, can't change without orphaning the files.
  """
  model = centred_model.model
  classes = {}
  for latent, entropy_model in model.entropy_models.items():
    numbers = sorted(
      (key, value)
      for key, value in vars(entropy_model).items()
      # Public ones alone: TensorFlow keeps counters of its own beside them.
      if isinstance(value, (int, float)) and not key.startswith('_')
    )
    classes[latent] = (type(entropy_model).__name__, numbers)
  versions = f'{container.VERSION} {exact.VERSION}'
  header = f'{versions} {type(model).__name__} {classes} {centred_model.zero_centre}'
  digest = hashlib.sha256(header.encode())

  encoder = centred_model.encoder_variables()
  variables = [variable for variable in model.variables if variable.ref() not in encoder]
  for coder in coders.values():
    variables += coder.variables
  variables += qualities.decoder_tables
  for variable in variables:
    digest.update(f'{variable.dtype.name}{variable.shape}'.encode())
    digest.update(variable.numpy().tobytes())
  return digest.digest()[: container.IDENTITY_BYTES]
