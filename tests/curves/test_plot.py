import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from making import make_curve
from tfusq.curves import plot
from tfusq.curves.curve import CurveError
from tfusq.training import events


@pytest.fixture
def run(tmp_path):
  def write(name, writer, series):
    with tf.summary.create_file_writer(str(tmp_path / name / writer)).as_default():
      for tag, values in series.items():
        for step, value in values:
          tf.summary.scalar(tag, value, step)
    return tmp_path / name

  return write


def lines(axes):
  return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def test_curves_are_solid_and_anchors_dashed_within_the_curves_range():
  anchor = make_curve((0.1, 1.0, 9.0), (20.0, 35.0, 50.0), 'BPG')
  figure = plot.plot_curves([make_curve()], [anchor, make_curve(name='JPEG')], title='Kodak')
  (axes,) = figure.axes
  np.testing.assert_array_equal(lines(axes)['ours'], [[0.2, 28], [0.4, 31], [0.8, 34]])
  styles = {line.get_label(): line.is_dashed() for line in axes.get_lines()}
  assert styles == {'ours': False, 'BPG': True, 'JPEG': True}
  assert [text.get_text() for text in axes.get_legend().get_texts()] == ['ours', 'BPG', 'JPEG']
  assert axes.get_xlim()[1] < 1 and axes.get_ylim()[1] < 36
  assert (axes.get_xlabel(), axes.get_ylabel()) == ('rate [bpp]', 'PSNR [dB]')
  with pytest.raises(CurveError, match='no ms-ssim-rgb'):
    plot.plot_curves([make_curve()], [], quality='ms-ssim-rgb')


@pytest.mark.parametrize(
  'names',
  [
    ['_ours', 'a$b$c'],
    # So many that the legend is beside the axes.
    ['_ours', r'\$5 $x^2$', '$', 'caf\udce9', '', 'a\nb', '__'],
  ],
)
def test_names_are_drawn_as_they_are_written(names, tmp_path):
  curves = [make_curve(name=name) for name in names]
  figure = plot.plot_curves(curves[:1], curves[1:], title='$caf\udce9$')
  (axes,) = figure.axes
  legend = axes.get_legend() or figure.legends[0]
  texts = legend.get_texts()
  assert [text.get_text() for text in texts] == [
    name.encode(errors='backslashreplace').decode() for name in names
  ]
  assert axes.get_title() == r'$caf\udce9$'
  assert not any(text.get_parse_math() for text in [*texts, axes.title])
  dashed = [line.is_dashed() for line in legend.get_lines()]
  assert dashed == [False, *(True for _ in names[1:])]
  plot.save(figure, tmp_path / 'a.svg', force=False)


def test_names_of_stages_are_drawn_as_they_are_written():
  scalars = {'train': {'loss': [(10, 3.0)], 'bpp': [(10, 1.0)], 'psnr': [(10, 30.0)]}}
  figure = plot.plot_training([('_a $x$', scalars)], title='$y$ \udce9')
  (stage,) = [text for text in figure.axes[0].texts if '_a' in text.get_text()]
  assert (stage.get_text(), figure.get_suptitle()) == ('_a $x$', '$y$ \\udce9')
  assert not (stage.get_parse_math() or figure._suptitle.get_parse_math())


def test_stages_follow_each_other_with_their_mismatch(run):
  joint = run('joint', 'train', {'loss': [(10, 3.0), (20, 2.0)], 'bpp': [(10, 1.0)]})
  run(
    'joint',
    'validation',
    {
      'loss': [(20, 2.5)],
      'soft_loss': [(20, 2.1)],
      'rate_mismatch': [(20, -0.2)],
      'distortion_mismatch': [(20, 0.1)],
    },
  )
  post = run('post', 'train', {'loss': [(10, 1.9)]})
  stages = [(path.name, events.read_scalars(path)) for path in (joint, post)]
  figure = plot.plot_training(stages)
  loss, _, mismatch, _ = figure.axes
  trained = [
    line.get_xydata().tolist() for line in loss.get_lines() if 'as trained' in line.get_label()
  ]
  assert trained == [[[10, 3], [20, 2]], [[30, pytest.approx(1.9)]]]
  np.testing.assert_allclose(lines(mismatch)['rate'], [[20, -0.2]])
  np.testing.assert_allclose(lines(mismatch)['distortion (weighted)'], [[20, 0.1]])
  assert 'mismatch' in mismatch.get_ylabel()
  assert len(plot.plot_training(stages[1:]).axes) == 3  # no validation, no mismatch
  with pytest.raises(plot.PlotError, match='nothing to draw'):
    plot.plot_training([('joint', {})])


def test_what_a_resumed_run_did_again_stands(run):
  run('joint', 'train', {'loss': [(10, 3.0), (20, 9.0)]})
  path = run('joint', 'train', {'loss': [(20, 2.0)]})
  assert events.read_scalars(path)['train']['loss'] == [(10, 3.0), (20, 2.0)]


def test_a_record_cut_off_by_a_kill_is_left_out(run):
  path = run('joint', 'train', {'loss': [(10, 3.0), (20, 2.0)]})
  (file,) = (path / 'train').glob('events*')
  file.write_bytes(file.read_bytes()[:-5])
  assert events.read_scalars(path)['train']['loss'] == [(10, 3.0)]


def test_pictures_are_png_and_svg_and_reproducible(tmp_path):
  for kind in ('png', 'svg'):
    for name in 'ab':
      plot.save(plot.plot_curves([make_curve()], []), tmp_path / f'{name}.{kind}', force=False)
    assert (tmp_path / f'a.{kind}').read_bytes() == (tmp_path / f'b.{kind}').read_bytes()
  with Image.open(tmp_path / 'a.png') as image:
    assert image.size == (1200, 825)
  assert '<svg' in (tmp_path / 'a.svg').read_text()
  with pytest.raises(FileExistsError):
    plot.save(plot.plot_curves([make_curve()], []), tmp_path / 'a.png', force=False)
  with pytest.raises(plot.PlotError, match='.png or .svg, not a.pdf'):
    plot.save(plot.plot_curves([make_curve()], []), 'a.pdf', force=False)
