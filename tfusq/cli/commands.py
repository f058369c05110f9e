"""What each command does, given its parsed arguments.

Errors of use are raised, as any error is; `tfusq.__main__` prints them. TensorFlow is imported only
by the commands that need it.
"""

import argparse
import tempfile
from pathlib import Path

from tfusq import files, plugins
from tfusq.export import container


def train(arguments: argparse.Namespace) -> None:
  """Trains a codec as gin files say, or goes on with a run."""
  from tfusq import config

  if not (arguments.gin_file or arguments.gin_bindings):
    raise config.ConfigError('say what to train: give --gin_file')
  config.parse(arguments.gin_file, arguments.gin_bindings, arguments.gin_search_path)
  config.build('train')(
    model_dir=arguments.model_dir,
    recipe=config.recipe,
    init_from=arguments.init_from,
    dry_run=arguments.dry_run,
  )


def export(arguments: argparse.Namespace) -> None:
  """Writes a run's codec."""
  from tfusq import runs

  if arguments.tfc:
    from tfusq.export import tfc_client

    tfc_client.outputs(arguments.out, arguments.tfc, arguments.force)
  identity = runs.export_run(
    arguments.model_dir,
    arguments.out,
    arguments.gin_search_path,
    arguments.force,
    arguments.decoder_only,
  )
  print(f'{arguments.out}: codec {identity}')
  if arguments.tfc:
    for path in tfc_client.export_for_tfc(arguments.out, arguments.tfc, arguments.force):
      print(path)


def compress(arguments: argparse.Namespace) -> None:
  """Compresses an image, or a folder of them."""
  from tfusq import image_files
  from tfusq.export import client, folders

  if Path(arguments.input).is_dir():
    codec = client.ExportedCodec(client.find(arguments.codec, compresses=True))
    print(folders.compress_folder(codec, arguments.input, arguments.output, arguments.force))
    return
  files.check_output(arguments.output, arguments.force, arguments.input)
  image = image_files.read_image(arguments.input)
  codec = client.ExportedCodec(client.find(arguments.codec, compresses=True))
  written = codec.compress(image)
  files.write(arguments.output, written, arguments.force)
  height, width = image.shape[:2]
  print(
    f'{arguments.output}: {len(written)} bytes, {width}x{height}, '
    f'{8 * len(written) / (width * height):.4f} bpp'
  )


def decompress(arguments: argparse.Namespace) -> None:
  """Decompresses a file, or a folder of them."""
  from tfusq import image_files
  from tfusq.export import client, folders

  if Path(arguments.input).is_dir():
    print(
      folders.decompress_folder(
        lambda identity: client.ExportedCodec(client.find(arguments.codec, identity)),
        arguments.input,
        arguments.output,
        arguments.force,
      )
    )
    return
  files.check_output(arguments.output, arguments.force, arguments.input)
  if Path(arguments.output).suffix.lower() != '.png':
    raise container.ContainerError(f'the output is a PNG; {arguments.output} is named otherwise')
  written = Path(arguments.input).read_bytes()
  header = container.read_header(written)
  codec = client.ExportedCodec(client.find(arguments.codec, header.identity.hex()))
  files.write(
    arguments.output, image_files.encode(codec.decompress(written), 'png'), arguments.force
  )
  print(f'{arguments.output}: {header.width}x{header.height}')


def info(arguments: argparse.Namespace) -> None:
  """Prints what a file says of itself, and checks it."""
  written = Path(arguments.input).read_bytes()
  header = container.read_header(written)
  intact = container.is_intact(written)
  print(
    f'tfusq file, format version {header.version}\n'
    f'codec     {header.identity.hex()}\n'
    f'image     {header.width}x{header.height}\n'
    f'bytes     {len(written)}: header {header.bytes}, sections '
    f'{", ".join(map(str, header.sections))}\n'
    f'bpp       {8 * len(written) / (header.height * header.width):.4f}\n'
    f'checksum  {"right" if intact else "wrong"}'
  )
  if not intact:
    raise container.ContainerError(f'{arguments.input} is corrupt: wrong checksum')


def evaluate(arguments: argparse.Namespace) -> None:
  """Prints real bytes and quality over a folder."""
  from tfusq import image_files
  from tfusq.evaluation import evaluate, operating_points

  outputs = [path for path in (arguments.json, arguments.csv) if path]
  for path in outputs:
    files.check_output(path, arguments.force)
  if len({Path(path).resolve() for path in outputs}) < len(outputs):
    raise files.Exists(f'--json and --csv are both {arguments.json}; name two files')
  codecs = arguments.codec
  if not (codecs or arguments.model_dir or arguments.anchor):
    codecs = [arguments.default_codec]
  with tempfile.TemporaryDirectory() as scratch:
    points = [
      *map(operating_points.ExportedPoint, codecs),
      *(
        operating_points.RunPoint(path, arguments.gin_search_path, Path(scratch) / str(place))
        for place, path in enumerate(arguments.model_dir)
      ),
      *(operating_points.anchor_points(arguments.anchor) if arguments.anchor else []),
    ]
    name = arguments.name or arguments.anchor or Path(arguments.json or 'tfusq').stem
    journal = evaluate.Journal(f'{outputs[0]}.partial' if outputs else None)
    curve, errors = evaluate.evaluate(points, arguments.folder, name, journal)
  print(evaluate.table(curve))
  if arguments.csv:
    files.write(arguments.csv, evaluate.to_csv(curve), arguments.force)
  if arguments.json:
    files.write(arguments.json, curve.to_json(), arguments.force)
  journal.remove()
  if errors:
    raise image_files.ImageError('; '.join(map(str, errors)))


def summary(arguments: argparse.Namespace) -> None:
  """Prints a model's parameters and multiply-accumulates."""
  from tfusq import config
  from tfusq.training import summary

  if not arguments.gin_file:
    raise config.ConfigError('say which model: give --gin_file')
  # What the stage says of the bound does not matter here, nor which quantizers train it.
  config.parse(
    ['quantizers/aun_pge.gin', *arguments.gin_file],
    ['BOUND = 0.11', 'Codec.lmbda = 1.0', *arguments.gin_bindings],
    arguments.gin_search_path,
  )
  codec = config.build_configurable('Codec')
  codec.create()
  print(summary.table(codec))


def list_plugins(arguments: argparse.Namespace) -> None:
  """Prints what is registered."""
  if arguments.pairs:
    from tfusq import catalogue

    print(catalogue.pairs())
    return
  for plugin in plugins.discover():
    print(f'{plugin.group:<22} {plugin.name:<16} {plugin.origin}')
    if arguments.details:
      from tfusq import catalogue

      print('\n'.join(f'    {line}' for line in catalogue.describe(plugin.name)))


def check(arguments: argparse.Namespace) -> None:
  """Runs the conformance checks on a plugin."""
  from tfusq import config, testing

  cls = plugins.load(plugins.claims(arguments.name))
  config.parse([], arguments.gin_bindings, [])
  try:
    subjects = (
      testing.instances(cls)
      if not arguments.gin_bindings
      else testing.instances(
        cls,
        config.bound_parameters(arguments.name),
        lambda **values: config.build_configurable(arguments.name, **values),
      )
    )
  except (config.ConfigError, plugins.PluginError, testing.Unchecked):
    raise
  except Exception as error:
    raise plugins.PluginError(
      f'{arguments.name} is not built: {type(error).__name__}: {error}'
    ) from error
  failed = 0
  for subject in subjects:
    print(testing.describe(subject))
    for check in testing.checks_of(subject):
      name = check.check.__name__
      try:
        reason = check()
        print(f'  none    {name}: {reason}' if reason else f'  passed  {name}')
      except Exception as violation:  # what a plugin raises costs that check
        failed += 1
        kind = (
          '' if isinstance(violation, testing.NonConformance) else (f'{type(violation).__name__}: ')
        )
        print(f'  FAILED  {name}: {kind}{violation}')
  if failed:
    raise plugins.PluginError(f'{arguments.name} fails {failed} checks')


def quickstart(arguments: argparse.Namespace) -> None:
  """Trains and tries a small codec on embedded photographs."""
  from tfusq.cli import quickstart

  quickstart.quickstart(arguments.out)
