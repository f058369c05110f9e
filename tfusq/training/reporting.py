"""The lines that a run prints: one for each interval, and one for its validation."""

import sys
import textwrap
import time
from typing import TextIO

import tensorflow as tf

# Columns of the longest line.
WIDTH = 99

# Seconds between updates of the progress on a terminal.
_REFRESH = 0.5


def interval_line(
  step: int,
  steps: int,
  means: dict[str, float],
  temperatures: dict[str, float],
  seconds_per_step: float,
  seconds_left: float,
) -> str:
  """Returns the line of an interval, or two where the temperatures need one of their own.

  Args:
    step: Number of steps that are done.
    steps: Number of steps of the run.
    means: Means over the interval: `loss`, `bpp`, `psnr` in dB, and `measured`, the distortion in
      its unit, where the PSNR does not tell it; others are not shown.
    temperatures: Temperatures by name, such as `y/rate/SUA.alpha`.
    seconds_per_step: Mean duration of a training step.
    seconds_left: Estimated duration of the rest of the run.
  """
  indent = ' ' * len(_label(steps, steps))
  line = f'{_label(step, steps)}  {_terms(means)}'
  pace = f'{seconds_per_step:.3g} s/step  {duration(seconds_left)} left'
  shown = _shown_temperatures(temperatures)

  if not shown:
    return f'{line}  {pace}'
  if len(f'{line}  {shown}  {pace}') <= WIDTH:
    return f'{line}  {shown}  {pace}'
  more_lines = textwrap.wrap(
    shown, WIDTH, initial_indent=f'{indent}  ', subsequent_indent=f'{indent}  '
  )
  return '\n'.join([f'{line}  {pace}', *more_lines])


def validation_line(steps: int, means: dict[str, float]) -> str:
  """Returns the line of a validation.

  Args:
    steps: Number of steps of the run; the line is set under that of the interval.
    means: Means over the validation batches: those of an interval, with rounding, and `soft_loss`,
      the loss with the training-time forward calculation; others are not shown.
  """
  label = 'validation'.rjust(len(_label(steps, steps)))
  return f'{label}  {_terms(means)}  training-time loss {means["soft_loss"]:.4f}'


def _label(step: int, steps: int) -> str:
  return f'step {step:>{len(str(steps))}} of {steps}'


def duration(seconds: float) -> str:
  """Returns a duration in its largest units, such as `2 h 05 min`."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  days, hours = divmod(hours, 24)
  if days:
    return f'{days} d {hours:02} h'
  if hours:
    return f'{hours} h {minutes:02} min'
  if minutes:
    return f'{minutes} min {seconds:02} s'
  return f'{seconds} s'


def _terms(means: dict[str, float]) -> str:
  terms = f'loss {means["loss"]:.4f}  {means["bpp"]:.4f} bpp  {means["psnr"]:.2f} dB'
  if 'measured' in means:
    terms += f'  D {means["measured"]:.4f}'
  return terms


def _shown_temperatures(temperatures: dict[str, float]) -> str:
  """Returns temperatures without repetition, such as `alpha 5` or `SGA.tau 0.2, SUA.alpha 5`.

  Most runs have one temperature in several quantizers. Its short name will do there.
  """
  values: dict[str, set[str]] = {}
  for path, value in temperatures.items():
    values.setdefault(path.rpartition('/')[2], set()).add(f'{float(value):.4g}')

  if len(values) == 1:
    values = {name.rpartition('.')[2]: numbers for name, numbers in values.items()}
  return ', '.join(f'{name} {"/".join(sorted(numbers))}' for name, numbers in values.items())


class Report(tf.keras.callbacks.Callback):
  """Prints a line for each interval, and on a terminal the progress within it."""

  def __init__(self, steps: int, interval: int, stream: TextIO | None = None):
    """Initializer.

    Args:
      steps: Number of steps of the run.
      interval: Number of steps between lines.
      stream: Stream to write to; standard output if None.
    """
    super().__init__()
    # Otherwise Keras would turn each step's losses into numbers, and wait for the device to do so.
    self._supports_tf_logs = True
    self._steps = steps
    self._interval = interval
    self._stream = sys.stdout if stream is None else stream
    self._is_terminal = self._stream.isatty()
    self._first_step_is_done = False
    self._has_paused = False
    self._begin = self._trained = self._shown = 0.0
    self._timed_steps = interval

  def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
    """Starts the clock of an interval."""
    self._begin = time.monotonic()
    self._timed_steps = self._interval

  def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
    """Notes the time, and shows progress on a terminal."""
    self._trained = time.monotonic()

    # The first step of a process takes a minute of tracing; it would spoil the estimates.
    if not self._first_step_is_done and self._interval > 1:
      self._begin = self._trained
      self._timed_steps = self._interval - 1
    self._first_step_is_done = True

    if self._is_terminal and self._trained - self._shown > _REFRESH:
      self._shown = self._trained
      self._stream.write(f'\r{batch + 1} of {self._interval} steps to the next line')
      self._stream.flush()

  def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
    """Prints the line of an interval, and that of its validation."""
    means = {name: float(value) for name, value in (logs or {}).items()}
    if self.model.is_for_squared_error:
      # The PSNR tells it.
      for prefix in ('', 'val_'):
        means.pop(f'{prefix}measured', None)
    step = (epoch + 1) * self._interval
    seconds_per_step = (self._trained - self._begin) / self._timed_steps

    # Validation and checkpoint come once an interval. The first time takes longer, for tracing.
    pause = time.monotonic() - self._trained if self._has_paused else 0.0
    self._has_paused = True
    seconds_per_interval = self._interval * seconds_per_step + pause
    intervals_left = (self._steps - step) // self._interval

    temperatures = {
      name: float(tf.convert_to_tensor(value)) for name, value in self.model.temperatures().items()
    }
    lines = interval_line(
      step,
      self._steps,
      means,
      temperatures,
      seconds_per_step,
      intervals_left * seconds_per_interval,
    )
    validation = {
      name.removeprefix('val_'): value for name, value in means.items() if name.startswith('val_')
    }
    if validation:
      lines += '\n' + validation_line(self._steps, validation)

    if self._is_terminal:
      self._stream.write('\r' + ' ' * (WIDTH - 1) + '\r')
    print(lines, file=self._stream, flush=True)
