"""What the commands do that compare and draw curves, and that make many: sweeps.

As in `tfusq.commands`, errors of use are raised. Only training, drawn or swept, needs TensorFlow.
"""

import argparse
import hashlib
import shlex
from pathlib import Path

from tfusq import files
from tfusq.curves import bd_rate, curve
from tfusq.curves.anchors import AnchorError, pinned


def compare(arguments: argparse.Namespace) -> None:
  """Prints BD-rates of curves."""
  curves = [curve.read_curve(path) for path in arguments.curves]
  anchor, content = read_anchor(arguments.anchor, curves)
  text, failures = bd_rate.report(anchor, content, curves, *_axes(arguments), arguments.lowest)
  print(text)
  if failures:
    raise curve.CurveError('; '.join(failures))


def plot(arguments: argparse.Namespace) -> None:
  """Draws rate-distortion curves, or the stages of a training run."""
  from tfusq.curves import plot

  for path in arguments.out:
    files.check_output(path, arguments.force)
  if bool(arguments.model_dir) == bool(arguments.curves):
    raise plot.PlotError('say what to draw: curves, or run directories by --model_dir')
  if arguments.model_dir:
    from tfusq.training import events

    if arguments.anchor:
      raise plot.PlotError('training has no anchor')
    figure = plot.plot_training(
      [(Path(path).name, events.read_scalars(path)) for path in arguments.model_dir],
      arguments.title,
    )
  else:
    curves = [curve.read_curve(path) for path in arguments.curves]
    figure = plot.plot_curves(
      curves,
      [read_anchor(name, curves)[0] for name in arguments.anchor],
      *_axes(arguments),
      arguments.title,
    )
  for path in arguments.out:
    plot.save(figure, path, arguments.force)
    print(path)


def _axes(arguments):
  """Returns the keys of rate and quality."""
  if arguments.surrogate:
    return 'surrogate-bpp', 'surrogate-psnr-rgb'
  return 'bpp', arguments.quality


def read_anchor(name: str, curves: list[curve.Curve]) -> tuple[curve.Curve, str]:
  """Returns an anchor and the SHA-256 of its file.

  Args:
    name: A pinned anchor, or a file.
    curves: What is compared with it.

  Raises:
    AnchorError: if a pinned anchor is of other images, or a curve does not say of which it is.
    CurveError: if the file holds no curve, or is of other images as far as both files say.
  """
  if name not in pinned.pinned():
    anchor = curve.read_curve(name)
    for other in curves:
      curve.check_same_images(anchor, other)
    return anchor, hashlib.sha256(Path(name).read_bytes()).hexdigest()
  for other in curves:
    if not other.hashes:
      raise AnchorError(
        f'{other.name} has no hashes of its images, and {name} is only beside its '
        'own; give the anchor as a file'
      )
  contents = [pinned.read_pinned(name, other.hashes) for other in curves]
  return curve.from_dict(contents[0], name), contents[0]['meta']['hash']


def sweep(arguments: argparse.Namespace) -> None:
  """Does the runs of a sweep, or reports them."""
  from tfusq import config
  from tfusq.sweeps import sweep

  own = [binding for binding in arguments.gin_bindings if binding.startswith('Sweep.')]
  config.parse([arguments.file], own, arguments.gin_search_path)
  if not config.bound_parameters('Sweep'):
    raise sweep.SweepError(f'{arguments.file} binds no Sweep')
  grid = config.build_configurable('Sweep')
  job = sweep.Job(
    Path(arguments.model_dir),
    Path(arguments.results),
    arguments.images,
    [binding for binding in arguments.gin_bindings if binding not in own],
    arguments.gin_search_path,
  )
  if arguments.report:
    _report(grid, job, arguments.anchor)
    return
  job.check()
  runs = sweep.part(grid.runs(), arguments.part)
  if arguments.dry_run:
    for run in runs:
      for command in job.commands(run):
        print(shlex.join(['tfusq', *command]))
    return
  failures = sweep.perform(job, runs)
  if failures:
    raise sweep.SweepError('\n'.join([f'{len(failures)} of {len(runs)} runs failed', *failures]))


def _report(grid, job, anchors):
  """Prints a sweep's tables; writes them, their figures and a picture beside the results."""
  from tfusq import config
  from tfusq.sweeps import costs as sweep_costs
  from tfusq.sweeps import report, sweep

  paper = report.read_paper(Path(config.search_path()[0]) / 'paper' / 'paper_tables.csv')
  lines, tables, costs, references = [], [], [], {}
  for images in map(sweep.images_name, job.images):
    if grid.cost_anchor:
      costs += sweep_costs.tabulate(grid, job.results, images, paper)
    curves = _curves(grid, job.results, images, range(len(grid.cells())))
    reference, line = _reference(grid, anchors, curves)
    lines.append(f'{images}: {line}')
    if reference:
      references[images] = reference
      tables.append(report.tabulate(grid, job.results, images, reference, paper))
  shown = report.best_cells(grid, tables or costs)
  if len(references) > 1:
    tables.append(report.average(grid, tables, paper))
  tables += costs
  text = '\n'.join([*lines, *(report.text(grid, table, shown) for table in tables)])
  print(text)
  if tables:
    files.write(job.results / 'report.txt', f'{text}\n'.encode())
    files.write(job.results / 'report.csv', report.to_csv(grid, tables, shown))
  for images, reference in references.items():
    _draw(job.results, images, _curves(grid, job.results, images, shown), reference)


def _reference(grid, anchors, curves):
  """Returns what BD-rates are against, or None, and a line that says so."""
  if not curves:
    return None, 'no cell has all its rates yet'
  if len(grid.lmbdas) < (3 if grid.cost_anchor else 2):
    return None, (
      f'{len(grid.lmbdas)} lambdas are too few for BD-rates; Sweep.cost_anchor gives costs'
    )
  try:
    reference, content = _anchor_of(anchors, curves)
  except AnchorError as error:
    if not grid.cost_anchor:
      raise
    return None, str(error)
  return reference, f'anchor {reference.name}, sha256 {content}'


def _curves(grid, results, images, numbers):
  """Returns the curves of some cells after the post stage, of the first seed that is complete."""
  from tfusq.sweeps import report

  cells = grid.cells()
  by_seed = [report.curves_of(grid, results, cells[number], 'post', images) for number in numbers]
  return [next(iter(found.values())) for found in by_seed if found]


def _draw(results, images, curves, reference):
  from tfusq.curves import plot

  figure = plot.plot_curves(curves, [reference], title=f'{images}, post stage')
  for kind in plot.FORMATS:
    plot.save(figure, results / f'report-{images}{kind}', force=True)


def _anchor_of(names, curves):
  """Returns the first that is of these images, of the anchors asked for or else the pinned ones."""
  reasons = []
  for name in names or pinned.pinned():
    try:
      return read_anchor(name, curves)
    except (AnchorError, curve.CurveError) as error:
      reasons.append(str(error))
  raise AnchorError(
    'no anchor is of these images; evaluate a live one and give its file with '
    f'--anchor ({"; ".join(reasons)})'
  )
