"""Every case of a surrogate: estimator x {rate, distortion} x {zero-centre, nonzero-centre}."""

import numpy as np
import tensorflow as tf

import tfusq
from tfusq import plugins
from tfusq.quantization.temperature import temperature_parameters
from tfusq.testing import instances

SCALES = (1e-6, 1e-3, 0.11, 1.0, 256.0)
TEMPERATURES = (1e-3, 0.5, 5.0, 12.0, 50.0)


def classes_of(base):
  classes, _ = plugins.load_all()
  return [
    cls
    for plugin, cls in classes.items()
    if issubclass(cls, base) and plugin.distribution == 'tfusq'
  ]


def all_cases(surrogate):
  """Returns a function that evaluates every defined case, and the names of the cases."""
  model = tfusq.Gaussian(bound=1e-6)
  names = []

  def run(y, mean, log_scale, u):
    del names[:]
    results = []
    for estimator in (cls() for cls in classes_of(tfusq.Estimator)):
      try:
        quantizer = tfusq.Quantizer(surrogate, estimator)
      except tfusq.Undefined:
        continue
      for centre in ('nonzero', 'zero'):
        with tf.GradientTape(persistent=True) as tape:
          tape.watch([y, mean, log_scale])
          parameters = model.parameters(tf.concat([mean, log_scale], -1))
          offset = tf.stop_gradient(parameters.mean) if centre == 'zero' else None
          bits = quantizer.evaluate(lambda v: model.bits(v, parameters), y, u, offset)
          terms = {'rate': bits}
          if not estimator.elementwise:
            terms['distortion'] = tf.square(quantizer(y, u, offset) - 1)
        for term, value in terms.items():
          of = [y, mean, log_scale] if term == 'rate' else [y]
          names.append(f'{type(estimator).__name__} {term} {centre}-centre')
          results.append([value, *tape.gradient(value, of)])
    return results

  return run, names


def inputs(dtype):
  special = [-2, -1, 0, 1, 7, -1.5, -0.5, 0.5, 2.5, 60.5, 1e4, -1e4, 0.3, -0.7, 1e-6, 0.4999999]
  y = tf.constant(np.tile(special, len(SCALES))[None, None, None], dtype)
  mean = tf.fill(y.shape, tf.constant(0.25, dtype))
  scale = np.repeat(SCALES, len(special))[None, None, None]
  return y, mean, tf.constant(np.log(scale), dtype)


def require_every_defined_case(cls):
  """Asserts finite results at hard inputs and every temperature; eager, traced and compiled agree.

  One trace for each surrogate, which is compiled too; the second dtype is eager. Graphs of unknown
  shapes are those of the conformance checks.
  """
  surrogate = instances(cls)[0]
  run, names = all_cases(surrogate)
  temperatures = [getattr(surrogate, name) for name in temperature_parameters(cls)]
  traced = tf.function(run, autograph=False)
  for function, dtype in ((traced, tf.float32), (run, tf.float64)):
    values = inputs(dtype)
    for value in TEMPERATURES if temperatures else [None]:
      for temperature in temperatures:
        temperature.value.assign(value)
      for name, results in zip(
        names or [''] * 99, function(*values, surrogate.noise(values[0], [1, 2]))
      ):
        assert all(np.isfinite(result).all() for result in results), (name, dtype, value)
  assert len(names) >= 4  # STE at least, in both terms and centres

  for temperature in temperatures:
    temperature.value.assign(5.0)
  hard = inputs(tf.float32)
  y = tf.random.stateless_normal(hard[0].shape, [3, 4])
  arguments = y, 0.3 * y, tf.zeros_like(y), surrogate.noise(y, [5, 6])
  compiled = tf.function(lambda *arguments: traced(*arguments), autograph=False, jit_compile=True)
  expected = traced(*arguments)
  for other in (run(*arguments), compiled(*arguments)):
    for name, ours, theirs in zip(names, expected, other):
      for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4, err_msg=name)
  for value in TEMPERATURES if temperatures else [None]:
    for temperature in temperatures:
      temperature.value.assign(value)
    for name, results in zip(names, compiled(*hard, surrogate.noise(hard[0], [1, 2]))):
      assert all(np.isfinite(result).all() for result in results), (name, 'compiled', value)
