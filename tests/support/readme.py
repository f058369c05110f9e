"""Reads the code blocks of the README."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / 'README.md').read_text()


def blocks(language: str) -> list[str]:
  """Returns the README's code blocks in a language."""
  return re.findall(rf'```{language}\n(.*?)```', README, re.DOTALL)


def plugin_files() -> dict[str, str]:
  """Returns the files of the README's plugin, by file name."""
  (module,) = [block for block in blocks('python') if 'class Triangular' in block]
  (setup,) = blocks('ini')
  (project,) = blocks('toml')
  return {'my_surrogates.py': module, 'setup.cfg': setup, 'pyproject.toml': project}
