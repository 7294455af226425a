"""Rows laid ready for a program, and outputs that nothing overwrites."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from slipstream import layers
from slipstream.models import Sequential
from slipstream.training import boundary, predict, staging
from slipstream.training.staging import Stage, Stages


def unaligned(rows, features=100, dtype=np.float32, past=16):
    """An array that begins some bytes past a boundary, as NumPy's own mostly do."""
    raw = np.zeros(rows * features * np.dtype(dtype).itemsize + 128, np.uint8)
    start = -raw.ctypes.data % 64 + past
    array = raw[start : start + raw.nbytes - 128].view(dtype).reshape(rows, features)
    array[:] = np.random.default_rng(rows).normal(size=(rows, features))
    return array


def nothing_changes():
    model = Sequential([layers.Input((100,)), layers.Dropout(0.5)])
    model.compile()
    return model


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(predict, "_MOST_ROWS", 1024)
    monkeypatch.setattr(predict, "_MANY_ROWS", 1024)


@pytest.mark.parametrize("rows", [1, 2, 33, 1000, 1024, 1025, 7000])
def test_a_model_that_changes_nothing(rows, small_parts):
    model, x = nothing_changes(), unaligned(rows)
    for _ in range(3):
        found = model.predict(x, verbose=0)
        np.testing.assert_array_equal(found, x)
        assert found.flags.writeable and not np.may_share_memory(found, x)


def test_outputs_of_before_stay(small_parts):
    model = nothing_changes()
    first, second = unaligned(3000), unaligned(2999)
    kept = model.predict(first, verbose=0)
    model.predict(second, verbose=0)
    np.testing.assert_array_equal(kept, first)


def test_a_generator_may_write_to_its_array_again():
    model, x = nothing_changes(), unaligned(512, past=0)

    def batches():
        for number in range(6):
            x[:] = number
            yield x

    found = model.predict(batches(), verbose=0)
    np.testing.assert_array_equal(found[:, 0], np.repeat(np.arange(6), 512))


def test_threads_do_not_share_memory(small_parts):
    model = nothing_changes()
    arrays = [unaligned(2000 + number) for number in range(8)]
    model.predict(arrays[0], verbose=0)
    with ThreadPoolExecutor(4) as pool:
        for x, found in zip(arrays, pool.map(lambda x: model.predict(x, verbose=0), arrays)):
            np.testing.assert_array_equal(found, x)


def test_parts_lie_on_a_boundary():
    stage = Stage()
    laid = [stage.lay(unaligned(rows), rows) for rows in (500, 400, 300)]
    assert all(array.ctypes.data % 64 == 0 for array in laid)
    np.testing.assert_array_equal(laid[2], unaligned(300))
    assert np.shares_memory(laid[0], laid[2]) and not np.shares_memory(laid[0], laid[1])


def test_what_lies_on_a_boundary_or_is_small_is_not_copied():
    stage = Stage()
    aligned = stage.lay(unaligned(500), 500)
    assert stage.lay(aligned, 500) is aligned
    assert stage.lay(aligned, 500, passing=True) is not aligned
    small = unaligned(10)
    assert stage.lay(small, 10) is small
    device = jax.numpy.ones((4, 100))
    assert stage.lay(device, 4) is device


def test_rows_are_filled_up_with_zeros():
    stage = Stage()
    x = {"a": unaligned(700), "b": unaligned(700, 3, np.int32)}
    stage.lay({"a": unaligned(1024), "b": unaligned(1024, 3, np.int32)}, 1024)
    stage.lay(x, 1024)
    laid = stage.lay(x, 1024)
    for name, array in laid.items():
        assert array.shape[0] == 1024 and array.dtype == x[name].dtype
        np.testing.assert_array_equal(array[:700], x[name])
        assert not array[700:].any()


def test_a_stage_that_grew_large_is_let_go(monkeypatch):
    stages = Stages()
    with stages.one() as first:
        first.lay(unaligned(300), 300)
    with stages.one() as again:
        assert again is first
    monkeypatch.setattr(staging, "_KEPT", 0)
    with stages.one() as again:
        assert again is first
    with stages.one() as other:
        assert other is not first


def test_data_on_the_device_are_copied_once_and_by_us():
    x = {"a": unaligned(900), "b": np.asfortranarray(unaligned(900, 64, past=0))}
    placed = boundary.put(x)
    for name, array in placed.items():
        np.testing.assert_array_equal(array, x[name])
    x["a"][:] = 7  # the user's array is the user's again
    assert not (np.asarray(placed["a"]) == 7).any()
    aligned = boundary.on_boundary((900, 100), np.dtype(np.float32))
    assert boundary._placed(aligned) is aligned


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int32", "bool", "bfloat16"])
def test_memory_on_a_boundary_has_the_type_and_shape(dtype):
    dtype = np.dtype(jax.numpy.dtype(dtype))
    array = boundary.on_boundary((70, 3, 1000), dtype, np.zeros)
    assert array.shape == (70, 3, 1000) and array.dtype == dtype
    assert array.ctypes.data % 64 == 0 and not array.astype(bool).any()


def test_an_output_without_rows():
    """A model that does not treat each row by itself may give one number for a batch."""

    class Total(layers.Layer):
        per_example = False

        def call(self, x):
            return x.sum()

    model = Sequential([layers.Input((100,)), Total()])
    model.compile()
    x = unaligned(20)
    np.testing.assert_allclose(model.predict(x, verbose=0), x.sum(), rtol=1e-4)


def test_memory_that_comes_back_as_an_output_is_copied_before_it_is_written_again():
    stage, parts = Stage(), [unaligned(100 + number) for number in range(7)]
    for part in parts:
        stage.take(stage.lay(part, 128), len(part))
    np.testing.assert_array_equal(stage.result(), np.concatenate(parts))
