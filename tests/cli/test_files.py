"""`compress`, `decompress` and `info`: standard streams, pipes, links, and several files."""

import argparse
import io
import os
import stat
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from making import IMAGES
from tfusq import cli as command_line
from tfusq import image_files
from tfusq.evaluation import metrics
from tfusq.export import client
from tfusq.export.effort import Effort

pytestmark = pytest.mark.usefixtures('loaded_once')


@pytest.fixture
def run(capsysbinary):
  """Runs the command line here; returns exit code, output in bytes and errors."""

  def run(*words):
    code = command_line.main(command_line.parser().parse_args([str(word) for word in words]))
    out, err = capsysbinary.readouterr()
    return code, out, err.decode()

  return run


@pytest.fixture
def image(photograph):
  return photograph[:40, :50]


@pytest.fixture
def source(image, tmp_path):
  path = tmp_path / 'in.png'
  path.write_bytes(image_files.encode(image, 'png'))
  return path


@pytest.fixture
def standard_input(monkeypatch):
  """Gives bytes to standard input."""

  def give(data):
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(data)))

  return give


def test_a_photograph_goes_through_standard_streams(
  run, exported_path, exported_codec, source, image, standard_input, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  data = exported_codec.compress(image)
  standard_input(source.read_bytes())
  code, out, err = run('compress', '--codec', exported_path, '-', '-')
  assert code == 0 and out == data
  assert err.startswith('standard output: 50x40, ')

  standard_input(data)
  code, out, err = run('decompress', '--codec', exported_path, '-', '-')
  assert code == 0 and err == 'standard output: 50x40\n'
  np.testing.assert_array_equal(image_files.decode(out), exported_codec.decompress(data))

  standard_input(data)
  code, out, _ = run('info', '-')
  assert code == 0 and b'checksum  right' in out
  assert os.listdir(tmp_path) == ['in.png']


def test_what_comes_from_standard_input_is_named_so(run, exported_path, standard_input, tmp_path):
  standard_input(b'no image')
  code, _, err = run('compress', '--codec', exported_path, '-', tmp_path / 'x.usq')
  assert code == 1 and 'cannot read image -' in err and err.count('\n') == 1


def test_a_terminal_gets_no_bytes(run, exported_path, source, monkeypatch):
  monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
  for command in ('compress', 'decompress'):
    code, out, err = run(command, '--codec', exported_path, source, '-')
    assert code == 1 and not out and 'a terminal takes no bytes' in err


def test_a_folder_does_not_go_to_standard_output(run, exported_path, source):
  code, out, err = run('compress', '--codec', exported_path, source.parent, '-')
  assert code == 1 and not out and 'not standard output' in err


def test_pipes_are_read_and_written(run, exported_path, exported_codec, source, image, tmp_path):
  pipe = tmp_path / 'pipe'
  os.mkfifo(pipe)
  received = []
  reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
  reader.start()
  assert run('compress', '--codec', exported_path, source, pipe)[0] == 0
  reader.join(timeout=10)
  assert received == [exported_codec.compress(image)]

  writer = threading.Thread(target=lambda: pipe.write_bytes(received[0]))
  writer.start()
  assert run('decompress', '--codec', exported_path, pipe, tmp_path / 'back.png')[0] == 0
  writer.join(timeout=10)
  assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_devices_stay_devices(run, exported_path, source, tmp_path):
  assert run('compress', '--codec', exported_path, source, tmp_path / 'x.usq')[0] == 0
  assert run('compress', '--codec', exported_path, '--force', source, '/dev/null')[0] == 0
  assert run('decompress', '--codec', exported_path, tmp_path / 'x.usq', '/dev/null')[0] == 0
  code, _, err = run('compress', '--codec', exported_path, source, '/dev/full')
  assert code == 1 and err == 'tfusq compress: /dev/full: No space left on device\n'
  assert stat.S_ISCHR(os.stat('/dev/null').st_mode)


def test_a_link_as_output_is_followed(run, exported_path, source, tmp_path):
  (tmp_path / 'real.usq').write_bytes(b'old')
  os.chmod(tmp_path / 'real.usq', 0o600)
  (tmp_path / 'link.usq').symlink_to('real.usq')
  code, _, err = run('compress', '--codec', exported_path, source, tmp_path / 'link.usq')
  assert code == 1 and 'link.usq exists; --force replaces it' in err
  assert run('compress', '--force', '--codec', exported_path, source, tmp_path / 'link.usq')[0] == 0
  assert (tmp_path / 'link.usq').is_symlink()
  assert (tmp_path / 'real.usq').read_bytes()[:4] != b'old'
  assert stat.S_IMODE((tmp_path / 'real.usq').stat().st_mode) == 0o600


def test_the_input_is_not_replaced_through_a_link(run, exported_path, source, tmp_path):
  (tmp_path / 'link.usq').symlink_to(source)
  before = source.read_bytes()
  code, _, err = run('compress', '--force', '--codec', exported_path, source, tmp_path / 'link.usq')
  assert code == 1 and 'link.usq is the input' in err and source.read_bytes() == before


def test_home_is_expanded(run, exported_path, source, tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.chdir('/')
  (tmp_path / 'codec').symlink_to(exported_path)
  assert run('compress', '--codec=~/codec', '~/in.png', '~/sub/out.usq')[0] == 0
  assert (tmp_path / 'sub' / 'out.usq').is_file()
  code, out, _ = run('info', '~/sub/out.usq')
  assert code == 0 and b'50x40' in out


def test_stores_are_refused_where_they_cannot_be(run, capsysbinary):
  for words in (
    ['plot', 'a.json', '--out', 'gs://bucket/a.png'],
    ['evaluate', 'photos', '--json', 'gs://bucket/a.json'],
    ['sweep', 'a.gin', '--images', 'a', '--results', 'ram://results'],
    ['analyze', 'rate', '--out', 's3://bucket'],
    ['quickstart', '--out', 'gs://bucket'],
    ['bdrate', 'a.json', 'gs://bucket/b.json'],
  ):
    with pytest.raises(SystemExit) as end:
      run(*words)
    assert end.value.code == 2
    assert b'is in a store' in capsysbinary.readouterr().err


def test_without_a_name_files_go_beside_their_images(
  run, exported_path, source, standard_input, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  code, out, _ = run('compress', '--codec', exported_path, source)
  assert code == 0 and out.startswith(f'{tmp_path}/in.usq: 50x40, '.encode())
  code, _, err = run('compress', '--codec', exported_path, 'in.png')
  assert code == 1 and 'in.usq exists; --force replaces it' in err
  data = (tmp_path / 'in.usq').read_bytes()

  (tmp_path / 'sub').mkdir()
  (tmp_path / 'sub' / 'a.b.png').write_bytes(source.read_bytes())
  code, out, _ = run('compress', '--codec', exported_path, '.')
  assert code == 0 and out.startswith(b'.: 1 file, 1 existing files are kept')
  assert (tmp_path / 'sub' / 'a.b.usq').read_bytes() == data

  standard_input(source.read_bytes())
  code, out, err = run('compress', '--codec', exported_path, '-')
  assert code == 0 and out == data and err.startswith('standard output: ')


def test_each_file_of_a_folder_finds_its_codec(
  run, exported_path, exported_codec, image, distribution, tmp_path
):
  fixtures = Path(__file__).parents[1] / 'fixtures' / 'codecs'
  (tmp_path / 'package_old').symlink_to(fixtures / 'version_1')
  distribution('third', '2', '[tfusq.codecs]\nold = package_old\n')
  (tmp_path / 'files').mkdir()
  (tmp_path / 'files' / 'a.usq').write_bytes(exported_codec.compress(image))
  (tmp_path / 'files' / 'b.usq').write_bytes((fixtures / 'version_1.usq').read_bytes())

  words = ('decompress', '--codec', exported_path, tmp_path / 'files', tmp_path / 'back')
  code, out, err = run(*words)
  assert code == 0 and b'2 files' in out
  assert 'codec: old of third 2 (38556bcac876a808)\n' in err and err.count('codec: ') == 1
  assert sorted(os.listdir(tmp_path / 'back')) == ['a.png', 'b.png']


def test_info_takes_several_files(run, exported_codec, image, tmp_path):
  data = exported_codec.compress(image)
  (tmp_path / 'a.usq').write_bytes(data)
  (tmp_path / 'b.usq').write_bytes(exported_codec.compress(image[:17, :30]))
  code, out, err = run('info', tmp_path / 'a.usq', tmp_path / 'b.usq')
  assert code == 0 and not err
  assert out.index(b'a.usq') < out.index(b'50x40') < out.index(b'b.usq') < out.index(b'30x17')

  (tmp_path / 'bad.usq').write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
  code, out, err = run('info', IMAGES / 'README.md')
  assert code == 1 and err == f'tfusq info: {IMAGES}/README.md: not a tfusq file\n'
  code, out, err = run(
    'info', tmp_path / 'none.usq', tmp_path / 'bad.usq', IMAGES / 'README.md', tmp_path / 'a.usq'
  )
  assert code == 1 and b'50x40' in out and b'checksum  wrong' in out
  _, *lines = err.strip().splitlines()
  assert len(lines) == 3
  for line, reason in zip(lines, ('No such file', 'wrong checksum', 'not a tfusq file')):
    assert reason in line


def test_a_full_disk_ends_a_folder_at_once(run, exported_path, source, tmp_path, monkeypatch):
  (tmp_path / 'photos').mkdir()
  for name in ('a.png', 'b.png'):
    (tmp_path / 'photos' / name).write_bytes(source.read_bytes())
  (tmp_path / 'out').mkdir()
  (tmp_path / 'out' / 'a.usq').symlink_to('/dev/full')
  code, _, err = run(
    'compress', '--force', '--codec', exported_path, tmp_path / 'photos', tmp_path / 'out'
  )
  assert code == 1 and err.splitlines()[-1] == (
    f'tfusq compress: {tmp_path}/out/a.usq: No space left on device'
  )
  assert os.listdir(tmp_path / 'out') == ['a.usq']


def test_every_path_of_the_command_line_is_local_or_may_be_in_a_store():
  paths = {'model_dir', 'init_from', 'out', 'tfc', 'folder', 'input', 'inputs', 'output', 'codec'}
  paths |= {'json', 'csv', 'results', 'images', 'file', 'gin_file', 'gin_search_path', 'curves'}
  paths |= {'mnist'}
  checked = set()
  waiting = [command_line.parser()]
  while waiting:
    parser = waiting.pop()
    for action in parser._actions:
      if isinstance(action, argparse._SubParsersAction):
        waiting += action.choices.values()
      elif action.dest in paths:
        name = getattr(action.type, '__name__', None)
        assert name in ('any_path', 'local_path'), (parser.prog, action.dest)
        checked.add(action.dest)
  assert checked == paths


@pytest.mark.usefixtures('variable_loaded_once')
def test_a_quality_a_size_or_a_psnr_decides_about_the_file(
  run, variable_path, variable_codec, source, image, tmp_path
):
  target = tmp_path / 'out.usq'

  def compress(*goal):
    code, out, _ = run('compress', '--codec', variable_path, source, target, *goal, '--force')
    assert code == 0
    return target.read_bytes(), out.decode()

  sizes = {}
  for quality in (1, 1.5, 2):
    data, line = compress('--quality', quality)
    assert data == variable_codec.compress(image, quality)
    assert line.endswith(f' bpp, quality {quality:.2f}\n')
    sizes[quality] = len(data)
  assert sizes[1] < sizes[1.5] < sizes[2]

  data, _ = compress('--bytes', sizes[2] - 1)
  assert sizes[1] < len(data) < sizes[2]

  decoded = variable_codec.decompress(variable_codec.compress(image, 1.5))
  psnr = metrics.psnr(image, decoded) - 1e-3
  data, _ = compress('--psnr', psnr)
  assert metrics.psnr(image, variable_codec.decompress(data)) >= psnr
  assert len(data) <= sizes[1.5]


@pytest.mark.usefixtures('variable_loaded_once')
@pytest.mark.parametrize(
  'goal, message',
  [
    (('--quality', 2.1), 'this codec has the qualities from 1 to 2'),
    (('--bytes', 40), '{source}: no quality fits into 40 bytes: the lowest takes '),
    (('--psnr', 99), '{source}: no quality reaches 99.00 dB: the highest has '),
  ],
)
def test_a_goal_that_no_quality_attains_is_one_line(
  run, variable_path, source, tmp_path, goal, message
):
  target = tmp_path / 'out.usq'
  code, _, err = run('compress', '--codec', variable_path, source, target, *goal)
  message = message.format(source=source)
  assert code == 1 and err.startswith(f'tfusq compress: {message}') and err.count('\n') == 1
  assert not target.exists()


def test_a_codec_of_one_quality_has_no_other(run, exported_path, source, tmp_path):
  code, _, err = run(
    'compress', '--codec', exported_path, source, tmp_path / 'out.usq', '--quality', 1
  )
  assert code == 1 and 'has a fixed rate; qualities, sizes and PSNRs are for' in err


@pytest.mark.usefixtures('variable_loaded_once')
def test_a_limit_holds_for_each_image_of_a_folder(run, variable_path, source, tmp_path):
  folder = tmp_path / 'photographs'
  folder.mkdir()
  for name in ('a.png', 'b.png'):
    (folder / name).write_bytes(source.read_bytes())
  limit = 300
  code, out, _ = run('compress', '--codec', variable_path, folder, '--bytes', limit)
  written = [path.stat().st_size for path in sorted(folder.glob('*.usq'))]
  assert code == 0 and len(written) == 2 and max(written) <= limit


@pytest.fixture
def refines(exported_codec, monkeypatch):
  """Has commands take a codec that refines by adding the effort to the file; returns that."""
  monkeypatch.setattr(client.CodecFolder, 'require_refinement', lambda folder: None)

  def refine(codec, image, effort, quality):
    assert quality is None
    return exported_codec.compress(image) + str(effort).encode()

  monkeypatch.setattr(client.ExportedCodec, 'refine', refine)


@pytest.mark.parametrize(
  'words, effort',
  [
    (['--refine', 'fast'], Effort(0)),
    (['--refine', 'good'], Effort(100)),
    (['--refine', '7', '--seconds', '2.5'], Effort(7, 2.5)),
    (['--seconds', '3'], Effort(None, 3.0)),
  ],
)
def test_an_effort_is_made_for_each_image(
  words, effort, run, refines, exported_path, source, tmp_path
):
  target = tmp_path / 'out.usq'
  code, _, err = run('compress', '--codec', exported_path, source, target, *words)
  assert code == 0, err
  assert target.read_bytes().endswith(str(effort).encode())


def test_a_folder_is_refined_and_resumed(run, refines, exported_path, source, tmp_path):
  for name in ('b.png', 'c.png'):
    (tmp_path / name).write_bytes(source.read_bytes())
  target = tmp_path / 'out'
  target.mkdir()
  (target / 'b.usq').write_bytes(b'kept')
  words = ['compress', '--codec', exported_path, tmp_path, target, '--refine', 'fast']
  code, out, _ = run(*words)
  assert code == 0 and b'2 files, 1 existing files are kept' in out
  assert (target / 'b.usq').read_bytes() == b'kept'
  assert (target / 'c.usq').read_bytes().endswith(str(Effort(0)).encode())


@pytest.mark.parametrize(
  'words, message',
  [
    (['--refine', 'fastest'], 'fastest is none of fast, good, best, nor a number'),
    (['--refine', '-3'], '-3 is none of fast, good, best, nor a number'),
    (['--seconds', '0'], '0 is not a positive number'),
    (['--seconds', 'long'], 'long is not a positive number'),
  ],
)
def test_an_effort_that_is_none_is_refused(words, message, exported_path, source, capsys):
  with pytest.raises(SystemExit):
    command_line.parser().parse_args(
      ['compress', '--codec', str(exported_path), str(source), *words]
    )
  assert message in capsys.readouterr().err


def test_a_codec_that_does_not_refine_says_so(run, exported_path, source, tmp_path):
  target = tmp_path / 'out.usq'
  code, _, err = run('compress', '--codec', exported_path, source, target, '--refine', 'good')
  assert code == 1 and 'does not refine: it was exported with --no_refine' in err
  assert not target.exists()
