"""Data of other libraries, where they are installed: `make bench` does so, `make test` does not."""

import numpy as np
import pytest

from slipstream import layers
from slipstream.models import Sequential

X = np.random.default_rng(0).normal(size=(50, 4)).astype("f")
Y = (X[:, :1] > 0).astype("f")


def history(*data, **arguments):
    model = Sequential([layers.Input((4,)), layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    model.compile("adam", "binary_crossentropy")
    return model.fit(*data, epochs=2, shuffle=False, verbose=0, **arguments).history["loss"]


def test_a_dataloader_and_tensors_of_torch():
    torch = pytest.importorskip("torch")
    expected = history(X, Y, batch_size=16)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16)
    np.testing.assert_allclose(history(loader, validation_data=loader), expected, rtol=1e-6)
    np.testing.assert_allclose(history(x.requires_grad_(), y, batch_size=16), expected, rtol=1e-6)


def test_a_dataset_and_tensors_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    expected = history(X, Y, batch_size=16)
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    np.testing.assert_allclose(history(dataset, validation_data=dataset), expected, rtol=1e-6)
    np.testing.assert_allclose(history(dataset.repeat(), steps_per_epoch=4), expected, rtol=1e-6)
    np.testing.assert_allclose(history(tf.constant(X), tf.constant(Y), batch_size=16), expected)
