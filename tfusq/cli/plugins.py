"""`tfusq plugins` and `tfusq check`: what is installed, and whether it keeps its contract."""

import argparse
import sys
from typing import TYPE_CHECKING

from tfusq import plugins
from tfusq.cli.arguments import Commands, add_command, add_gin_bindings

if TYPE_CHECKING:
  from tfusq.testing import BoundCheck


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(
    commands,
    'plugins',
    list_plugins,
    "list the plugins that are installed, built-in and others', and the exported codecs",
  )
  command.add_argument(
    '--details',
    action='store_true',
    help='also say what each plugin is and admits, or why it can not be used',
  )
  command.add_argument(
    '--pairs', action='store_true', help='instead, which surrogate goes with which estimator'
  )

  command = add_command(commands, 'check', check, 'run the conformance checks on a plugin')
  command.add_argument(
    'name',
    help=(
      'surrogate, estimator, schedule, entropy model, transforms, distortion or codec model; or an '
      'exported codec, by its name or its folder'
    ),
  )
  add_gin_bindings(
    command, "such as 'SUA.alpha = 3.0'; temperatures that are not bound take typical values"
  )


def list_plugins(arguments: argparse.Namespace) -> None:
  """Prints what is registered."""
  if arguments.pairs:
    from tfusq import catalogue

    print(catalogue.pairs())
    return

  claimed = plugins.by_name()
  for plugin in plugins.discover():
    print(f'{plugin.group:<22} {plugin.name:<16} {plugin.origin}')
    if arguments.details:
      from tfusq import catalogue

      for line in catalogue.describe(claimed[plugin.name]):
        print(f'    {line}')

  for codec in plugins.codecs():
    print(f'{codec.group:<22} {codec.name:<16} {codec.origin}')
    if arguments.details:
      from tfusq.export import installed

      for line in installed.describe(codec):
        print(f'    {line}')


def check(arguments: argparse.Namespace) -> None:
  """Runs the conformance checks on a plugin."""
  if arguments.name in plugins.by_name():
    subjects = _objects(arguments.name, arguments.gin_bindings)
  else:
    subjects = [_codec(arguments.name, arguments.gin_bindings)]

  from tfusq import testing

  failed = 0
  for title, subject in subjects:
    print(title)
    for bound_check in testing.checks_of(subject):
      line, passed = _outcome(bound_check)
      print(f'  {line}')
      failed += not passed
  if failed:
    raise plugins.PluginError(f'{arguments.name} fails {failed} checks')


def _objects(name: str, gin_bindings: list[str]) -> list[tuple[str, object]]:
  """Builds a plugin's class, once or once for each of its typical temperatures.

  Args:
    name: Name of the plugin.
    gin_bindings: Bindings of its arguments.

  Returns:
    Descriptions and objects.
  """
  from tfusq import catalogue, config, testing

  codecs = [codec for codec in plugins.codecs() if codec.name == name]
  cls = plugins.load(plugins.claims(name) + codecs)
  if not issubclass(cls, tuple(testing.CHECKS)):
    kinds = ', '.join(f'{base.__name__}s' for base in testing.CHECKS)
    raise testing.Unchecked(f'there are checks for {kinds}, not for {name}')

  config.parse([], gin_bindings, [])
  if gin_bindings:
    subjects = catalogue.build(
      cls,
      config.bound_parameters(name),
      lambda **values: config.build_configurable(name, **values),
    )
  else:
    subjects = catalogue.build(cls)
  return [(testing.describe(subject), subject) for subject in subjects]


def _codec(name: str, gin_bindings: list[str]) -> tuple[str, object]:
  """Loads an exported codec.

  Args:
    name: Name or folder of the codec.
    gin_bindings: Bindings, which a codec does not have.

  Returns:
    Description and codec.
  """
  from tfusq.export import client, installed

  names = installed.names()
  if name not in names and not client.described(name):
    available = ', '.join(sorted({*plugins.by_name(), *names}))
    raise plugins.PluginError(
      f'no plugin {name}, nor a folder with a codec; available: {available}'
    )
  if gin_bindings:
    raise plugins.PluginError(f'{name} is an exported codec, to which gin binds nothing')

  choice = installed.named(name)
  if choice.remark:
    print(choice.remark, file=sys.stderr)
  return choice.label, client.ExportedCodec(choice.codec)


def _outcome(bound_check: 'BoundCheck') -> tuple[str, bool]:
  """Runs one check; returns a line that reports it, and whether it did not fail."""
  from tfusq.testing import NonConformance

  name = bound_check.check.__name__
  try:
    reason = bound_check()
  except NonConformance as violation:
    return f'FAILED  {name}: {violation}', False
  except Exception as error:  # what a plugin raises fails that check alone
    return f'FAILED  {name}: {type(error).__name__}: {error}', False
  return (f'none    {name}: {reason}' if reason else f'passed  {name}'), True
