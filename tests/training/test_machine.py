import pytest
import tensorflow as tf

from tfusq.training import machine

H100 = {'device_name': 'NVIDIA H100 80GB HBM3', 'compute_capability': (9, 0)}
T4 = {'device_name': 'Tesla T4', 'compute_capability': (7, 5)}


@pytest.fixture
def gpus(monkeypatch):
  """Lets TensorFlow see GPUs with these details."""

  def see(*details):
    monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: list(details))
    monkeypatch.setattr(tf.config.experimental, 'get_device_details', lambda gpu: gpu)

  return see


@pytest.mark.parametrize(
  'details, begin, end',
  [
    ([], 'CPU (TensorFlow sees no GPU), ', ', float32'),
    ([H100], 'NVIDIA H100 80GB HBM3, ', ', float32, products in TensorFloat-32'),
    ([T4], 'Tesla T4, ', ', float32'),
    ([T4, T4, H100], '2 x Tesla T4, 1 x NVIDIA H100 80GB HBM3, ', ', products in TensorFloat-32'),
    ([{}], 'unknown GPU, ', ', float32'),
  ],
)
def test_the_line_names_devices_version_and_precision(details, begin, end, gpus):
  gpus(*details)
  line = machine.describe()
  assert line.startswith(begin) and line.endswith(end)
  assert f'TensorFlow {tf.__version__}, float32' in line


def test_rounded_products_are_said_only_where_they_are_on(gpus):
  gpus(H100)
  tf.config.experimental.enable_tensor_float_32_execution(False)
  try:
    assert machine.describe().endswith(', float32')
  finally:
    tf.config.experimental.enable_tensor_float_32_execution(True)


def test_keras_policy_is_said(gpus):
  gpus(H100)
  tf.keras.mixed_precision.set_global_policy('mixed_float16')
  try:
    assert machine.describe().endswith(', mixed_float16')
  finally:
    tf.keras.mixed_precision.set_global_policy('float32')
