"""Where TensorFlow would run the operations of a graph on a machine with a GPU, read without one.

TensorFlow's Linux wheels register the kernels of GPUs on every machine, with the inputs and outputs
that each kernel has in the host's memory. An operation without a device goes to the GPU if there is
a kernel for its types. So the copies from the GPU to the host can be read off the graph: the edges
from a tensor in the GPU's memory to an input that must be in the host's. At each of them the host
waits for the GPU, which then runs out of work.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.framework import kernels, op_def_registry

_PYTHON = ('PyFunc', 'EagerPyFunc', 'PyFuncStateless')
# They only call a function, in which the placement is decided.
_CALLS = ('PartitionedCall', 'StatefulPartitionedCall')
# Of these types, tensors are in the host's memory everywhere.
_HOST_TYPES = (
  tf.string.as_datatype_enum,
  tf.resource.as_datatype_enum,
  tf.variant.as_datatype_enum,
)


class Finding(NamedTuple):
  """What keeps a step from running on the GPU alone.

  Attributes:
    kind: `python`, `pinned`, `no kernel` or `copy`.
    op: Type of the operation.
    name: Its name in the graph.
    detail: Device, types, or what is copied.
  """

  kind: str
  op: str
  name: str
  detail: str


class _Kernel(NamedTuple):
  """Kernel of a GPU: what its types must be, and which arguments are in the host's memory."""

  constraints: dict[str, frozenset[int]]
  host_arguments: frozenset[str]


@functools.cache
def _kernels(op: str) -> list[_Kernel]:
  found = []
  for kernel in kernels.get_registered_kernels_for_op(op).kernel:
    if kernel.device_type in ('GPU', 'DEFAULT'):
      constraints = {
        constraint.name: frozenset(constraint.allowed_values.list.type)
        for constraint in kernel.constraint
      }
      found.append(_Kernel(constraints, frozenset(kernel.host_memory_arg)))
  return found


def findings(function: tf.types.experimental.ConcreteFunction) -> list[Finding]:
  """Returns all that keeps a traced function from running on a GPU alone.

  Args:
    function: Traced function, whose arguments come from the host and whose variables are on the
      GPU.
  """
  graph = function.graph.as_graph_def()
  found = list(_of_nodes(graph.node))
  for traced in graph.library.function:
    found += _of_nodes(traced.node_def)
  return found


def operations(function: tf.types.experimental.ConcreteFunction) -> set[str]:
  """Returns the types of a traced function's operations, those of functions that it calls too."""
  return {node.op for node in _nodes(function)}


def most_terms(function: tf.types.experimental.ConcreteFunction) -> int:
  """Returns the number of terms of the longest `AddN` that is read.

  Of three terms and more, timing changes the order.

  Args:
    function: Traced function.
  """
  nodes = _nodes(function)
  read = {_source(edge)[0] for node in nodes for edge in node.input}
  counts = [node.attr['N'].i for node in nodes if node.op == 'AddN' and node.name in read]
  return max(counts, default=0)


def _nodes(function: tf.types.experimental.ConcreteFunction) -> list:
  """Returns the nodes of a traced function, and those of functions that it calls."""
  graph = function.graph.as_graph_def()
  nodes = [*graph.node]
  for traced in graph.library.function:
    nodes += traced.node_def
  return nodes


def _of_nodes(nodes) -> Iterator[Finding]:
  """Yields the findings of the nodes of a graph or of a function."""
  by_name = {node.name: node for node in nodes}
  kernel_of = {node.name: _kernel(node) for node in nodes}

  @functools.cache
  def is_folded(name: str) -> bool:
    """Returns whether TensorFlow computes a node before it runs the graph."""
    node = by_name.get(name)
    if node is None or node.op == 'Placeholder' or op_def_registry.get(node.op).is_stateful:
      return False
    return all(not edge.startswith('^') and is_folded(_source(edge)[0]) for edge in node.input)

  def is_on_host(edge: str) -> bool:
    name, number = _source(edge)
    node = by_name.get(name)
    if node is None or node.op == 'Placeholder':  # an argument
      return True
    if is_folded(name):
      return True
    if 'CPU' in node.device.upper() or kernel_of[name] is None:
      return True
    return _output(node, number) in kernel_of[name].host_arguments

  for node in nodes:
    if node.op in ('Placeholder', 'NoOp') or node.op in _CALLS:
      continue
    if node.op in _PYTHON:
      yield Finding('python', node.op, node.name, '')
    if 'CPU' in node.device.upper():
      yield Finding('pinned', node.op, node.name, node.device)
      required = None
    elif kernel_of[node.name] is None:
      yield Finding('no kernel', node.op, node.name, str(_types(node)))
      required = None
    else:
      required = kernel_of[node.name].host_arguments

    for argument, edge in _inputs(node):
      if required is not None and argument not in required:
        continue
      source, number = _source(edge)
      if source in by_name and _dtype(by_name[source], number) in _HOST_TYPES:
        continue
      if not is_on_host(edge):
        yield Finding('copy', node.op, node.name, f'{argument} from {by_name[source].op} {source}')


def _kernel(node) -> _Kernel | None:
  types = {key: value.type for key, value in node.attr.items() if value.HasField('type')}
  for key, value in node.attr.items():
    if value.list.type:
      types[key] = value.list.type[0]
  for kernel in _kernels(node.op):
    if all(types.get(name) in allowed for name, allowed in kernel.constraints.items()):
      return kernel
  return None


def _types(node) -> list[str]:
  return [
    f'{key} {tf.as_dtype(value.type).name}'
    for key, value in node.attr.items()
    if value.HasField('type')
  ]


def _source(edge: str) -> tuple[str, int]:
  """Returns the node and the number of the output that an edge comes from."""
  name, *rest = edge.removeprefix('^').split(':')
  return name, int(rest[-1]) if rest else 0


def _counts(node, arguments) -> list[tuple[str, int, int]]:
  """Returns name, number of tensors and type of each argument of an operation's definition."""
  counts = []
  for argument in arguments:
    count = 1
    dtype = argument.type or (node.attr[argument.type_attr].type if argument.type_attr else 0)
    if argument.number_attr:
      count = node.attr[argument.number_attr].i
    if argument.type_list_attr:
      count = len(node.attr[argument.type_list_attr].list.type)
    counts.append((argument.name, count, dtype))
  return counts


def _inputs(node) -> list[tuple[str, str]]:
  """Returns the arguments of a node, each with the edge that it comes from."""
  edges = [edge for edge in node.input if not edge.startswith('^')]
  named = []
  for name, count, _ in _counts(node, op_def_registry.get(node.op).input_arg):
    for edge in edges[:count]:
      named.append((name, edge))
    edges = edges[count:]
  return named


def _output(node, number: int) -> str:
  """Returns the name of the output with a number."""
  for name, count, _ in _counts(node, op_def_registry.get(node.op).output_arg):
    if number < count:
      return name
    number -= count
  return ''


def _dtype(node, number: int) -> int:
  definition = op_def_registry.get(node.op)
  if definition is None:
    return 0
  for _, count, dtype in _counts(node, definition.output_arg):
    if number < count:
      return dtype
    number -= count
  return 0
