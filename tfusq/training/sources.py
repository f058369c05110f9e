"""Where photographs are read from: a folder of files, or a pack."""

from collections.abc import Callable, Sequence
from typing import Any

from tfusq import files, image_files
from tfusq.files import AnyPath
from tfusq.image_files import ImageError
from tfusq.training import packs, survey
from tfusq.training.survey import Photograph


class Folder:
  """Photographs that are files of a folder.

  Attributes:
    folder: The folder.
    files: Their paths, sorted.
  """

  def __init__(self, folder: AnyPath):
    """Initializer.

    Args:
      folder: Folder of images, sub-folders included.

    Raises:
      ImageError: if there are none, or some are no images.
    """
    self.folder = folder
    self.files: list[Any] = image_files.list_images(folder)
    # Headers alone, since that is fast; `survey` reads the bodies.
    survey.check_headers(self.files)

  def read(self, path: AnyPath) -> bytes:
    """Returns the content of a photograph's file.

    Args:
      path: The file.

    Raises:
      ImageError: if it can't be read; names it.
    """
    try:
      return files.read(path)
    except OSError as error:
      raise ImageError(f'cannot read image {path}: {error}') from error

  def survey(
    self,
    paths: Sequence[AnyPath],
    known: Sequence[Photograph],
    decode: Callable[[AnyPath, bytes], Any],
  ) -> list[Photograph]:
    """Reads photographs once, and returns what they are.

    Args:
      paths: Files of the folder.
      known: Photographs that were read before; those of the same name, size and time are not again.
      decode: Function that decodes a photograph, or raises `ImageError`.

    Raises:
      ImageError: if photographs can't be read; names all of them.
    """
    return survey.look_at(self.folder, paths, known, decode)


def source_of(folder: AnyPath) -> Folder | packs.Pack:
  """Returns the photographs of a folder, which may be a pack.

  Args:
    folder: Folder of images, or pack.

  Raises:
    ImageError: if there are none, some are no images, or a pack is damaged or not complete.
  """
  return packs.Pack(folder) if packs.is_pack(folder) else Folder(folder)
