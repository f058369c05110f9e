"""Prints measures of how the code is written, and what breaks the rules that the tests hold.

    python tests/support/handwriting.py [PATH ...]

For every folder or file that is given, and for all together:

*   nodes: nodes of the syntax tree on a line of code, contexts and operators not counted;
*   comments, comprehensions: their number on 100 lines of code;
*   blank: the share of blank lines inside the bodies of functions;
*   Args: how many of the public callables with two or more parameters have an `Args:` section,
    their own or that of the method they override, and their number;
*   nested: comprehensions with more than one `for` or `if`, or with another one inside;
*   undocumented: public classes and functions without a docstring;
*   fragments: descriptions of arguments and attributes that begin with a preposition or a question
    word, where a noun should name the thing.
"""

import argparse
import ast
import dataclasses
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FRAGMENT = re.compile(
  r'^\s+`?[*\w][\w`*, ]*: (Of|By|On|As|What|Which|How|Whose|Likewise|With|Another)\b'
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *_FUNCTIONS)
_NOT_COUNTED = (ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)
# Special methods that a caller uses like a function.
_CALLED = ('__init__', '__call__')


@dataclasses.dataclass
class Source:
  """A Python file.

  Attributes:
    path: The file.
    lines: Its lines of text.
    tree: Its syntax tree.
  """

  path: Path
  lines: list[str]
  tree: ast.Module


@dataclasses.dataclass
class PublicCallable:
  """A function or a method that a user of the package may call.

  Attributes:
    where: File and line.
    name: The name, a method's after that of its class.
    parameters: Number of parameters, `self` and `cls` not counted.
    has_args: Whether an `Args:` section describes them.
    is_annotated: Whether all parameters and the result have type hints.
  """

  where: str
  name: str
  parameters: int
  has_args: bool
  is_annotated: bool


def read(paths: Iterable[Path]) -> list[Source]:
  """Returns the Python files among paths and in folders among them."""
  files: set[Path] = set()
  for path in paths:
    files.update(path.rglob('*.py') if path.is_dir() else [path])
  sources = []
  for path in sorted(files):
    text = path.read_text()
    sources.append(Source(path, text.split('\n'), ast.parse(text)))
  return sources


def nodes(source: Source) -> int:
  """Returns the number of nodes of the syntax tree."""
  return sum(not isinstance(node, _NOT_COUNTED) for node in ast.walk(source.tree))


def comments(source: Source) -> int:
  """Returns the number of comments."""
  text = '\n'.join(source.lines)
  tokens = tokenize.generate_tokens(io.StringIO(text).readline)
  return sum(token.type == tokenize.COMMENT for token in tokens)


def code_lines(source: Source) -> int:
  """Returns the number of lines that are not blank, a comment or part of a docstring."""
  docstring_lines = _docstring_lines(source)
  count = 0
  for number, line in enumerate(source.lines, 1):
    stripped = line.strip()
    if stripped and not stripped.startswith('#') and number not in docstring_lines:
      count += 1
  return count


def body_lines(source: Source) -> tuple[int, int]:
  """Returns the number of lines inside functions, docstrings left out, and of the blank ones."""
  inside: set[int] = set()
  for node in ast.walk(source.tree):
    if isinstance(node, _FUNCTIONS):
      inside.update(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
  inside -= _docstring_lines(source)
  blank = sum(not source.lines[number - 1].strip() for number in inside)
  return len(inside), blank


def _docstring_lines(source):
  """Returns the numbers of the lines that docstrings take."""
  numbers = set()
  for node in ast.walk(source.tree):
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
      numbers.update(range(node.lineno, node.end_lineno + 1))
  return numbers


def comprehensions(source: Source) -> list[ast.expr]:
  """Returns the comprehensions and generator expressions."""
  return [node for node in ast.walk(source.tree) if isinstance(node, _COMPREHENSIONS)]


def nested_comprehensions(source: Source) -> list[str]:
  """Returns where a comprehension has more than one `for` or `if`, or another one inside."""
  found = []
  for node in comprehensions(source):
    inner = [child for child in ast.walk(node) if isinstance(child, _COMPREHENSIONS)]
    conditions = sum(len(generator.ifs) for generator in node.generators)
    if len(inner) > 1 or len(node.generators) > 1 or conditions > 1:
      found.append(f'{source.path}:{node.lineno}')
  return found


def fragments(source: Source) -> list[str]:
  """Returns the descriptions that begin with a preposition or a question word."""
  found = []
  for node in ast.walk(source.tree):
    if not isinstance(node, _DOCUMENTED):
      continue
    for line in (ast.get_docstring(node, clean=False) or '').split('\n'):
      if FRAGMENT.match(line):
        found.append(f'{source.path}: {line.strip()}')
  return found


def undocumented(source: Source) -> list[str]:
  """Returns the public classes and functions of the file that have no docstring."""
  found = []
  for node in source.tree.body:
    if not isinstance(node, (ast.ClassDef, *_FUNCTIONS)):
      continue
    if not node.name.startswith('_') and not ast.get_docstring(node):
      found.append(f'{source.path}:{node.lineno} {node.name}')
  return found


def public_callables(sources: Sequence[Source]) -> list[PublicCallable]:
  """Returns the public functions, and the public methods of public classes.

  Args:
    sources: The files; a base class is looked up by its name in all of them.

  Returns:
    One record each, functions inside functions left out.
  """
  classes = _classes(sources)
  records = []
  for source in sources:
    for node in source.tree.body:
      if isinstance(node, _FUNCTIONS) and not node.name.startswith('_'):
        records.append(_record(source, node, node.name, [node]))
      elif isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
        records += _methods(source, node, classes)
  return records


def _methods(source, cls, classes):
  """Yields a record for each public method of a class."""
  for node in cls.body:
    if not isinstance(node, _FUNCTIONS):
      continue
    if node.name.startswith('_') and node.name not in _CALLED:
      continue
    definitions = list(_definitions(node.name, cls, classes))
    if node.name == '__init__':
      definitions.append(cls)
    yield _record(source, node, f'{cls.name}.{node.name}', definitions)


def _definitions(name: str, cls: ast.ClassDef, classes, seen=()) -> Iterator[ast.FunctionDef]:
  """Yields a method's definition in a class and in those of its bases that are known."""
  for node in cls.body:
    if isinstance(node, _FUNCTIONS) and node.name == name:
      yield node
  for base in cls.bases:
    base_name = getattr(base, 'attr', getattr(base, 'id', ''))
    if base_name in classes and base_name not in seen:
      yield from _definitions(name, classes[base_name], classes, (*seen, base_name))


def _classes(sources):
  """Returns all classes at the top of the files, by name."""
  classes = {}
  for source in sources:
    for node in source.tree.body:
      if isinstance(node, ast.ClassDef):
        classes[node.name] = node
  return classes


def _record(source, node, name, definitions):
  """Returns the record of a function or method.

  Args:
    source: The file.
    node: The function.
    name: Its name, a method's after that of its class.
    definitions: Nodes that may describe and annotate it: itself, the methods that it overrides,
      and for a constructor the class.
  """
  return PublicCallable(
    where=f'{source.path}:{node.lineno}',
    name=name,
    parameters=len(_parameters(node)),
    has_args=any(_has_args(definition) for definition in definitions),
    is_annotated=any(_is_annotated(definition) for definition in definitions),
  )


def _parameters(node):
  """Returns the parameters of a function but `self` and `cls`."""
  arguments = node.args
  parameters = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
  for variadic in (arguments.vararg, arguments.kwarg):
    if variadic is not None:
      parameters.append(variadic)
  return [parameter for parameter in parameters if parameter.arg not in ('self', 'cls')]


def _is_annotated(node):
  """Returns whether a function has all its type hints; a constructor may leave out the result."""
  if isinstance(node, ast.ClassDef):
    return False
  hints = [parameter.annotation for parameter in _parameters(node)]
  if node.name != '__init__':
    hints.append(node.returns)
  return None not in hints


def _has_args(node):
  return 'Args:' in (ast.get_docstring(node) or '')


def describe(title: str, sources: Sequence[Source], known: Sequence[Source]) -> str:
  """Returns the measures of some files as one line.

  Args:
    title: Name of the group of files.
    sources: The files.
    known: All files in which base classes are looked up.
  """
  lines = node_count = comment_count = comprehension_count = 0
  body_count = blank_count = nested_count = undocumented_count = fragment_count = 0
  for source in sources:
    lines += code_lines(source)
    node_count += nodes(source)
    comment_count += comments(source)
    comprehension_count += len(comprehensions(source))
    inside, blank = body_lines(source)
    body_count += inside
    blank_count += blank
    nested_count += len(nested_comprehensions(source))
    undocumented_count += len(undocumented(source))
    fragment_count += len(fragments(source))

  paths = {str(source.path) for source in sources}
  callables = describable(known)
  callables = [record for record in callables if record.where.rpartition(':')[0] in paths]
  described = sum(record.has_args for record in callables)

  # Empty files have no lines to divide by.
  lines = max(1, lines)
  body_count = max(1, body_count)
  return (
    f'{title:<28}{lines:>7}{node_count / lines:>7.2f}{100 * comment_count / lines:>10.1f}'
    f'{100 * comprehension_count / lines:>16.1f}{100 * blank_count / body_count:>8.1f} %'
    f'{described:>6} of {len(callables):<4}{nested_count:>8}{undocumented_count:>14}'
    f'{fragment_count:>11}'
  )


def describable(sources: Sequence[Source]) -> list[PublicCallable]:
  """Returns the public callables with two or more parameters, which need an `Args:` section."""
  return [record for record in public_callables(sources) if record.parameters >= 2]


def main() -> None:
  """Prints the measures of each path, and of all."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('paths', nargs='*', type=Path, help='by default the rooms of tfusq')
  parser.add_argument('--places', action='store_true', help='list what breaks a rule, with lines')
  arguments = parser.parse_args()

  package = CHECKOUT / 'tfusq'
  rooms = [path for path in sorted(package.iterdir()) if any(path.rglob('*.py'))]
  paths = arguments.paths or [*rooms, *sorted(package.glob('*.py'))]
  known = read([package, *paths])
  print(
    f'{"":<28}{"lines":>7}{"nodes":>7}{"comments":>10}{"comprehensions":>16}{"blank":>10}'
    f'{"Args":>13}{"nested":>9}{"undocumented":>14}{"fragments":>11}'
  )
  for path in paths:
    print(describe(path.stem, read([path]), known))
  everything = read(paths)
  print(describe('all', everything, known))

  if arguments.places:
    print_places(everything)


def print_places(sources: Sequence[Source]) -> None:
  """Prints what breaks a rule, with file and line."""
  for source in sources:
    for place in nested_comprehensions(source):
      print(f'{place}: nested comprehension')
    for place in undocumented(source):
      print(f'{place}: no docstring')
    for place in fragments(source):
      print(place)

  for record in describable(sources):
    if not record.has_args:
      print(f'{record.where} {record.name}: no Args section')


if __name__ == '__main__':
  main()
