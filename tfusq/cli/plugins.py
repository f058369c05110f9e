"""`tfusq plugins` and `tfusq check`: what is installed, and whether it keeps its contract."""

import argparse
from typing import TYPE_CHECKING

from tfusq import plugins
from tfusq.cli.arguments import Commands, add_command, add_gin_bindings

if TYPE_CHECKING:
  from tfusq.testing import BoundCheck


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(
    commands, 'plugins', list_plugins, "list the plugins that are installed, built-in and others'"
  )
  command.add_argument(
    '--details',
    action='store_true',
    help='also say what each plugin is and admits, or why it can not be imported',
  )
  command.add_argument(
    '--pairs', action='store_true', help='instead, which surrogate goes with which estimator'
  )

  command = add_command(commands, 'check', check, 'run the conformance checks on a plugin')
  command.add_argument(
    'name',
    help='surrogate, estimator, schedule, entropy model, transforms, distortion or codec model',
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


def check(arguments: argparse.Namespace) -> None:
  """Runs the conformance checks on a plugin."""
  from tfusq import catalogue, config, testing

  cls = plugins.load(plugins.claims(arguments.name))
  if not issubclass(cls, tuple(testing.CHECKS)):
    kinds = ', '.join(f'{base.__name__}s' for base in testing.CHECKS)
    raise testing.Unchecked(f'there are checks for {kinds}, not for {arguments.name}')

  config.parse([], arguments.gin_bindings, [])
  if arguments.gin_bindings:
    subjects = catalogue.build(
      cls,
      config.bound_parameters(arguments.name),
      lambda **values: config.build_configurable(arguments.name, **values),
    )
  else:
    subjects = catalogue.build(cls)

  failed = 0
  for subject in subjects:
    print(testing.describe(subject))
    for bound_check in testing.checks_of(subject):
      line, passed = _outcome(bound_check)
      print(f'  {line}')
      failed += not passed
  if failed:
    raise plugins.PluginError(f'{arguments.name} fails {failed} checks')


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
