"""From a run directory, or an exported codec's folder, to its codec."""

import os
from collections.abc import Sequence

from tfusq import config, versions
from tfusq.export import client, saved_model
from tfusq.refinement import Refinement, Refiner
from tfusq.training import distortions, exported_weights, recipes, transfer
from tfusq.training.codec import Codec

# What codecs refine with unless they are exported with another one.
DEFAULT_REFINEMENT = 'refinements/sga.gin'


def load_run(model_dir: str | os.PathLike, gin_search_path: list[str]) -> Codec:
  """Builds a run's codec as its recipe says, with the networks of its newest checkpoint.

  Args:
    model_dir: Run directory, or folder of an exported codec.
    gin_search_path: Folders with gin files, in case the recipe includes some.

  Returns:
    The codec, created.

  Raises:
    TrainingError: if the run has no recipe.
    TransferError: if it has no checkpoint.
  """
  codec = build_codec(model_dir, gin_search_path)
  codec.create()
  _restore(codec, model_dir)
  return codec


def export_run(
  model_dir: str | os.PathLike,
  out: str | os.PathLike,
  gin_search_path: list[str],
  force: bool = False,
  decoder_only: bool = False,
  refines: bool = True,
  gin_files: Sequence[str] = (),
  weight_bits: int | None = None,
) -> str:
  """Exports the newest checkpoint of a run as its recipe builds it.

  Args:
    model_dir: Run directory, or folder of an exported codec.
    out: Folder to make.
    gin_search_path: Folders with gin files, in case the recipe includes some.
    force: Whether an existing folder may be replaced.
    decoder_only: Whether to leave out what only compressing needs.
    refines: Whether the codec gets the function `refine`, unless it only decompresses.
    gin_files: Names of gin files that bind another refinement than the default.
    weight_bits: Significant binary digits of the weights; None for all.

  Returns:
    The codec's identity, hexadecimal.

  Raises:
    TrainingError: if the run has no recipe.
    TransferError: if it has no checkpoint.
    ConfigError: if a gin file is wrong.
    ExportError: if its codec has no bitstream.
    Exists: if `out` exists and may not be replaced.
  """
  codec = build_codec(model_dir, gin_search_path, [DEFAULT_REFINEMENT, *gin_files])
  refinement = None
  if refines and not decoder_only:
    refinement = config.build_configurable('Refinement')
  return export_codec(codec, model_dir, out, force, decoder_only, refinement, weight_bits)


def build_refinement(gin_file: str, gin_search_path: list[str]) -> Refinement:
  """Builds what a gin file binds as refinement.

  Raises:
    ConfigError: if the file is wrong.
  """
  config.parse([gin_file], [], gin_search_path)
  return config.build_configurable('Refinement')


def export_codec(
  codec: Codec,
  model_dir: str | os.PathLike,
  out: str | os.PathLike,
  force: bool = False,
  decoder_only: bool = False,
  refinement: Refinement | None = None,
  weight_bits: int | None = None,
) -> str:
  """Exports the newest checkpoint of a run with a codec of the same networks.

  Args:
    codec: New codec, from `build_codec`; it may quantize otherwise than the run's.
    model_dir: Run directory, or folder of an exported codec.
    out: Folder to make.
    force: Whether an existing folder may be replaced.
    decoder_only: Whether to leave out what only compressing needs.
    refinement: Refinement of the function `refine`; None for no such function. There is none for a
      distortion of a plugin, which clients do not have.
    weight_bits: Significant binary digits of the weights, which an archive of the folder is smaller
      for; None for all.

  Returns:
    The codec's identity, hexadecimal.

  Raises:
    TransferError: if the run has no checkpoint, or one of other networks.
    ExportError: if the codec has no bitstream.
    Exists: if `out` exists and may not be replaced.
  """
  codec.create()
  description = {
    'step': _restore(codec, model_dir),
    'lmbda': codec.lmbda,
    'versions': versions.installed(),
    'recipe': _recipe(model_dir),
  }
  if weight_bits is not None:
    for weight in codec.centred_model.variables():
      weight.assign(exported_weights.rounded(weight.numpy(), weight_bits))

  refiner = None
  if refinement is not None and distortions.are_built_in(codec.distortion_measure):
    refiner = Refiner(codec.centred_model, refinement, codec.distortion_measure, codec.lmbda)
  return saved_model.export(codec.centred_model, out, description, force, decoder_only, refiner)


def build_codec(
  model_dir: str | os.PathLike, gin_search_path: list[str], gin_files: Sequence[str] = ()
) -> Codec:
  """Builds a run's codec as its recipe says, without variables.

  Args:
    model_dir: Run directory, or folder of an exported codec.
    gin_search_path: Folders with gin files, in case the recipe includes some.
    gin_files: Names of further gin files.

  Returns:
    The codec, not yet created.

  Raises:
    TrainingError: if the run has no recipe.
  """
  if exported_weights.is_exported(str(model_dir)):
    further = [f'include {gin_file!r}' for gin_file in gin_files]
    config.parse([], [_recipe(model_dir), *further], gin_search_path)
  else:
    config.parse([str(recipes.newest_recipe(model_dir)), *gin_files], [], gin_search_path)
  return config.build_parameter('train.codec')


def _recipe(model_dir: str | os.PathLike) -> str:
  if exported_weights.is_exported(str(model_dir)):
    return client.read_folder(model_dir).description['recipe']
  return recipes.newest_recipe(model_dir).read_text()


def _restore(codec: Codec, model_dir: str | os.PathLike) -> int:
  """Loads a codec's networks, and returns the step that they were trained to."""
  if not exported_weights.is_exported(str(model_dir)):
    return transfer.restore(codec, str(model_dir))

  lines = transfer.transfer(codec, str(model_dir)).lines
  if lines:
    raise transfer.TransferError(f'{model_dir} holds other networks than its recipe: {lines[0]}')
  return client.read_folder(model_dir).description['step']
