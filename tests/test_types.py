"""Type hints: public signatures have them, and a type checker reads them."""

import os
import subprocess
import sys
from pathlib import Path

import handwriting

CHECKOUT = Path(__file__).resolve().parent.parent


def test_public_signatures_are_annotated():
  sources = handwriting.read([CHECKOUT / 'tfusq'])
  records = handwriting.public_callables(sources)
  missing = [f'{record.where} {record.name}' for record in records if not record.is_annotated]
  assert len(records) > 300
  assert not missing, '\n'.join(missing)


def test_a_wrong_type_in_a_program_that_uses_the_package_is_caught(tmp_path):
  program = tmp_path / 'program.py'
  program.write_text(
    'import tfusq\n'
    "tfusq.Linear(end='five', steps=10)\n"
    'tfusq.Linear(end=5.0, steps=10)\n'
    'wrong: str = tfusq.STE().elementwise\n'
    'right: bool = tfusq.STE().elementwise\n'
  )
  config = ('--config-file', CHECKOUT / 'pyproject.toml', '--cache-dir', tmp_path / 'cache')
  result = subprocess.run(
    [sys.executable, '-m', 'mypy', *config, program],
    env={**os.environ, 'MYPYPATH': str(CHECKOUT)},
    text=True,
    capture_output=True,
  )
  errors = [line for line in result.stdout.splitlines() if 'program.py' in line]
  assert len(errors) == 2, result.stdout + result.stderr
  assert 'program.py:2: error' in errors[0] and '"end"' in errors[0]
  assert 'program.py:4: error' in errors[1] and '"bool"' in errors[1]
