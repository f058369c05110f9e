"""Prints how the rooms of the package import one another.

    python tests/support/rooms.py [CHECKOUT]

A room is a folder of `tfusq/`, or a module that stands at its top. The imports are read from the
syntax tree: those of a module, those inside functions, and those for type checkers alone. What the
top package offers by name (`tfusq.SUA`) is not an arrow, because it loads on first use.
"""

import argparse
import ast
import collections
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = 'tfusq'
CHECKOUT = Path(__file__).resolve().parents[2]

# An import: the module that imports, and the module that it imports.
Import = tuple[str, str]
# The number of imports between two rooms, the importing one first.
Arrows = dict[tuple[str, str], int]


def modules(checkout: Path) -> dict[str, Path]:
  """Returns the file of every module of the package, by the module's dotted name."""
  files = {}
  for path in sorted((checkout / PACKAGE).rglob('*.py')):
    parts = path.relative_to(checkout).with_suffix('').parts
    if parts[-1] == '__init__':
      parts = parts[:-1]
    files['.'.join(parts)] = path
  return files


def room_of(module: str) -> str:
  """Returns the room of a module: `coding` for `tfusq.coding.tables`."""
  return module.split('.')[1]


def imports(checkout: Path) -> list[Import]:
  """Returns every import of one module of the package by another, repeated ones too."""
  files = modules(checkout)
  pairs = []
  for module, path in files.items():
    if module == PACKAGE:
      continue
    for node in ast.walk(ast.parse(path.read_text())):
      for imported in _imported(node, files):
        if imported not in (PACKAGE, module):
          pairs.append((module, imported))
  return pairs


def _imported(node: ast.AST, files: Mapping[str, Path]) -> Iterator[str]:
  """Yields the modules of the package that a node imports, once for each name that it binds."""
  if isinstance(node, ast.Import):
    for alias in node.names:
      if alias.name in files:
        yield alias.name

  elif isinstance(node, ast.ImportFrom) and node.module in files:
    for alias in node.names:
      submodule = f'{node.module}.{alias.name}'
      yield submodule if submodule in files else node.module

  elif isinstance(node, ast.Call):
    yield from _imported_by_name(node, files)


def _imported_by_name(call: ast.Call, files: Mapping[str, Path]) -> Iterator[str]:
  """Yields what `importlib.import_module` is given as a literal.

  Of an f-string the part before the first field counts: `f'tfusq.analysis.studies.{name}'` imports
  some module of `tfusq.analysis.studies`.
  """
  if getattr(call.func, 'attr', '') != 'import_module' or not call.args:
    return
  argument = call.args[0]
  if isinstance(argument, ast.JoinedStr) and argument.values:
    argument = argument.values[0]
  if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
    name = argument.value.rstrip('.')
    if name in files:
      yield name


def arrows(checkout: Path) -> Arrows:
  """Returns the number of imports between each two rooms, where there are any."""
  counts: Arrows = collections.Counter()
  for importing, imported in imports(checkout):
    pair = room_of(importing), room_of(imported)
    if pair[0] != pair[1]:
      counts[pair] += 1
  return dict(sorted(counts.items()))


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
  """Returns the groups of nodes that reach one another.

  Args:
    graph: The nodes that each node points at.

  Returns:
    A sorted list for each strongly connected component of more than one node.
  """
  reachable = {node: _reachable(graph, node) for node in graph}
  groups = []
  seen: set[str] = set()
  for node in sorted(graph):
    group = sorted(other for other in reachable[node] if node in reachable[other])
    if group and not seen.intersection(group) and len(group) > 1:
      groups.append(group)
      seen.update(group)
  return groups


def _reachable(graph, start):
  """Returns the nodes that at least one step leads to."""
  reached, waiting = set(), [start]
  while waiting:
    for node in graph[waiting.pop()]:
      if node not in reached:
        reached.add(node)
        waiting.append(node)
  return reached


def graph_of(nodes, pairs) -> dict[str, set[str]]:
  """Returns the nodes that each node points at.

  Args:
    nodes: The names of all nodes.
    pairs: Pairs of names, the pointing node first.
  """
  graph: dict[str, set[str]] = {node: set() for node in nodes}
  for source, target in pairs:
    graph[source].add(target)
  return graph


def layers(graph: Mapping[str, set[str]]) -> list[list[str]]:
  """Returns the nodes by layer, those that point at nothing first.

  A node is one layer above the highest that it points at; the nodes of a cycle share a layer.
  """
  same = {node: [node] for node in graph}
  for group in cycles(graph):
    same.update(dict.fromkeys(group, group))

  @functools.cache
  def height(node):
    below = [0]
    for member in same[node]:
      for other in graph[member]:
        if other not in same[node]:
          below.append(1 + height(other))
    return max(below)

  by_height = collections.defaultdict(list)
  for node in sorted(graph):
    by_height[height(node)].append(node)
  return [by_height[key] for key in sorted(by_height)]


def report(checkout: Path) -> str:
  """Returns the text that the script prints about a checkout."""
  files = modules(checkout)
  names = [name for name in files if name != PACKAGE]
  sizes = collections.Counter(room_of(name) for name in names)
  by_room = arrows(checkout)
  room_graph = graph_of(sizes, by_room)
  by_layer = layers(room_graph)
  module_cycles = cycles(graph_of(names, imports(checkout)))

  top = len(list((checkout / PACKAGE).glob('*.py')))
  folders = {name: size for name, size in sizes.items() if (checkout / PACKAGE / name).is_dir()}
  lines = [
    f'{top} Python files at the top of {PACKAGE}/, {len(folders)} folders, {len(files)} modules',
    f'files in folders: {", ".join(f"{name} {size}" for name, size in sorted(folders.items()))}',
    f'{len(by_room)} arrows between {len(sizes)} rooms, of {sum(by_room.values())} imports, '
    f'on {len(by_layer)} layers',
  ]

  for number, room_names in reversed(list(enumerate(by_layer))):
    lines.append(f'layer {number}: {", ".join(room_names)}')

  lines.append('imports:')
  for room, targets in room_graph.items():
    if targets:
      counts = ', '.join(f'{target} {by_room[room, target]}' for target in sorted(targets))
      lines.append(f'  {room} -> {counts}')

  for title, groups in (('rooms', cycles(room_graph)), ('modules', module_cycles)):
    described = '; '.join(' <-> '.join(group) for group in groups)
    lines.append(f'cycles of {title}: {described or "none"}')
  return '\n'.join(lines)


def main() -> None:
  """Prints the report."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('checkout', nargs='?', type=Path, default=CHECKOUT)
  print(report(parser.parse_args().checkout))


if __name__ == '__main__':
  main()
