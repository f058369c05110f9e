import numpy as np
import pytest
import tensorflow as tf

from tfusq.training.failure import FirstFailure, NotFinite


def note(noted, step, **values):
  values = {'rate': 1.0, 'distortion': 1.0, 'gradient': 1.0} | values
  noted({name: tf.constant(value) for name, value in values.items()}, tf.constant(step, tf.int64))


def test_the_first_step_and_its_first_cause_are_named(mode):
  failure = FirstFailure()
  noted = mode(failure.note)
  note(noted, 0)
  failure.require_none()
  note(noted, 2**40, distortion=np.nan, gradient=np.inf)
  note(noted, 2**40 + 1, rate=np.inf)
  with pytest.raises(NotFinite, match=f'^the distortion is not finite at step {2**40}$'):
    failure.require_none()
