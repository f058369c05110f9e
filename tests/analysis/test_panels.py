from tfusq.analysis.panels import Panel, draw


def test_one_surrogate_has_one_style_in_all_panels():
  rows = [
    {'surrogate': name, 'x': x, 'y': place + x}
    for place, name in enumerate('abc')
    for x in (1.0, 2.0)
  ]
  panels = [[Panel('y', 'y', 'some', rows[2:]), Panel('y', 'y', 'all', rows)]]
  first, second = draw(panels, 'x', 'x').axes
  colours = [
    {tuple(line.get_ydata()): line.get_color() for line in axes.lines} for axes in (first, second)
  ]
  assert colours[0].items() <= colours[1].items()


def test_on_logarithmic_axes_rounding_errors_are_left_out():
  rows = [{'surrogate': 'a', 'x': x, 'y': y} for x, y in ((1.0, 1e-16), (2.0, 0.5), (3.0, -1.0))]
  assert Panel('y', '', '', rows, 'log').points('x', 'a') == [(2.0, 0.5)]
  assert len(Panel('y', '', '', rows).points('x', 'a')) == 3


def test_one_kind_has_one_colour_and_its_hardest_is_solid():
  rows = [
    {'surrogate': name, 'x': x, 'y': place + x}
    for place, name in enumerate(('AUN', 'SUA(alpha=1)', 'SUA(alpha=5)'))
    for x in (1.0, 2.0)
  ]
  (axes,) = draw([[Panel('y', 'y', '', rows, 'symlog')]], 'x', 'x').axes
  aun, soft, hard = axes.lines
  assert soft.get_color() == hard.get_color() != aun.get_color()
  assert (aun.get_linestyle(), soft.get_linestyle(), hard.get_linestyle()) == ('-', '--', '-')
  assert axes.get_yscale() == 'symlog'
