"""`tfusq plugins` and `tfusq check`: what is installed, and whether it keeps its contract."""

import argparse

from tfusq import plugins
from tfusq.cli.arguments import Commands, add_command, add_gin_bindings


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(
    commands, 'plugins', list_plugins, "list what is registered, ours and others'"
  )
  command.add_argument(
    '--details',
    action='store_true',
    help='what each one is and admits, or why it is broken (imports them)',
  )
  command.add_argument(
    '--pairs', action='store_true', help='instead, which surrogate goes with which estimator'
  )

  command = add_command(commands, 'check', check, 'run the conformance checks on a plugin')
  command.add_argument('name', help='surrogate, estimator, entropy model or codec model')
  add_gin_bindings(
    command, "such as 'SUA.alpha = 3.0'; temperatures that are not bound take typical values"
  )


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
