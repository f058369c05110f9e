import PIL
import pytest
from PIL import Image

from tfusq.curves.anchors import formats


@pytest.mark.parametrize('name', ['JPEG', 'PNG', 'WEBP'])
def test_what_pillow_always_writes_is_available(name):
  assert formats.is_available(name)


def test_a_format_needs_its_writer_and_its_library(monkeypatch):
  assert not formats.is_available('BPG')
  monkeypatch.setattr(formats.features, 'get_supported', lambda: ['jpg'])
  assert formats.is_available('JPEG') and formats.is_available('PNG')
  assert not formats.is_available('WEBP') and not formats.is_available('JPEG2000')
  monkeypatch.delitem(Image.SAVE, 'JPEG')
  assert not formats.is_available('JPEG')


def test_versions_are_those_of_the_libraries_that_pillow_has(monkeypatch):
  versions = formats.versions()
  assert versions['Pillow'] == PIL.__version__
  assert versions['libjpeg-turbo'][0].isdigit()
  assert ('libaom' in versions) == formats.is_available('AVIF')
  assert ('pillow-jxl-plugin' in versions) == formats.is_available('JXL')
  monkeypatch.setattr(formats.features, 'get_supported', list)
  monkeypatch.setattr(formats, 'is_available', lambda name: False)
  assert formats.versions() == {'Pillow': PIL.__version__}
