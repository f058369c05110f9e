from tfusq.analysis.panels import Panel, draw


def rows_of(*surrogates):
  """Returns two points of a line of its own for each surrogate."""
  rows = []
  for index, surrogate in enumerate(surrogates):
    rows.append({'surrogate': surrogate, 'x': 1.0, 'y': index + 1.0})
    rows.append({'surrogate': surrogate, 'x': 2.0, 'y': index + 2.0})
  return rows


def colours(axes):
  return {tuple(line.get_ydata()): line.get_color() for line in axes.lines}


def test_one_surrogate_has_one_style_in_all_panels():
  rows = rows_of('a', 'b', 'c')
  panels = [[Panel('y', 'y', 'some', rows[2:]), Panel('y', 'y', 'all', rows)]]
  some, everything = draw(panels, 'x', 'x').axes
  assert len(colours(some)) == 2 and len(colours(everything)) == 3
  assert colours(some).items() <= colours(everything).items()


def test_on_logarithmic_axes_rounding_errors_are_left_out():
  rows = [{'surrogate': 'a', 'x': x, 'y': y} for x, y in ((1.0, 1e-16), (2.0, 0.5), (3.0, -1.0))]
  assert Panel('y', '', '', rows, 'log').points('x', 'a') == [(2.0, 0.5)]
  assert len(Panel('y', '', '', rows).points('x', 'a')) == 3


def test_one_class_has_one_colour_and_its_hardest_is_solid():
  rows = rows_of('AUN', 'SUA(alpha=1)', 'SUA(alpha=5)')
  (axes,) = draw([[Panel('y', 'y', '', rows, 'symlog')]], 'x', 'x').axes
  aun, soft, hard = axes.lines
  assert soft.get_color() == hard.get_color() != aun.get_color()
  assert (aun.get_linestyle(), soft.get_linestyle(), hard.get_linestyle()) == ('-', '--', '-')
  assert axes.get_yscale() == 'symlog'


def test_the_legend_has_every_surrogate_in_the_order_of_the_rows():
  figure = draw([[Panel('y', 'y', '', rows_of('SUA(alpha=1)', '_Own', 'SUA(alpha=5)'))]], 'x', 'x')
  labels = [text.get_text() for text in figure.legends[0].get_texts()]
  assert labels == ['SUA(alpha=1)', '_Own', 'SUA(alpha=5)']
