"""Curves and reports are drawn without waiting for TensorFlow."""

import subprocess
import sys

import pytest

from making import QUALITIES, RATES, make_curve

# Runs a command line, or only imports, and fails if TensorFlow has been imported.
COMMAND = """
import sys
from tfusq import cli
code = cli.main(cli.parser().parse_args(sys.argv[1:]))
sys.exit(code or 'tensorflow' in sys.modules)
"""
IMPORTS = """
import sys
import tfusq.curves.bd_rate, tfusq.curves.plot, tfusq.curves.reference, tfusq.curves.anchors.live
import tfusq.sweeps.costs, tfusq.sweeps.job, tfusq.sweeps.report, tfusq.sweeps.results
sys.exit('tensorflow' in sys.modules)
"""


def run(program, *words):
  return subprocess.run(
    [sys.executable, '-c', program, *map(str, words)], capture_output=True, text=True
  )


def test_no_module_of_curves_and_sweeps_imports_tensorflow():
  result = run(IMPORTS)
  assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
  'words',
  [('plot', 'a.json', '--out', 'a.png', '--force'), ('bdrate', 'a.json', 'a.json'), ('plugins',)],
)
def test_commands_that_compute_nothing_do_not_import_tensorflow(words, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'a.json').write_bytes(make_curve(RATES, QUALITIES).to_json())
  result = run(COMMAND, *words)
  assert result.returncode == 0 and result.stdout, result.stderr
