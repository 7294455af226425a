"""Which forms run, and that programs of one are not taken for the other's."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.config import kernels
from slipstream.kernels import native
from slipstream.kernels.pooling import max_pool

pytestmark = pytest.mark.skipif(native.library() is None, reason="no compiled kernels")


X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 16)), "float32")


def test_a_program_follows_it_however_often_it_changes():
    program = jax.jit(lambda x: max_pool(x, (2, 2), (2, 2), "valid"))
    for _ in range(2):
        outside = program(X)
        assert "slipstream_" in program.lower(X).as_text()
        with kernels("reference"):
            np.testing.assert_array_equal(outside, program(X))
            assert "slipstream_" not in program.lower(X).as_text()


def test_choices_lie_within_each_other():
    with kernels("reference"):
        with kernels("native"):
            assert native.choice() == "native" and native.library()
        assert native.library() is None
    with pytest.raises(ZeroDivisionError), kernels("reference"):
        raise ZeroDivisionError
    assert native.library()


def test_operations_called_one_by_one_follow_it(monkeypatch):
    called = []
    real = native.call
    monkeypatch.setattr(
        native, "call", lambda *args, **how: called.append(args[0]) or real(*args, **how)
    )
    x = jnp.ones((3, 8, 8, 16))  # of a shape that no other test has
    with kernels("reference"):
        max_pool(x, (2, 2), (2, 2), "valid")
        assert not called
    max_pool(x, (2, 2), (2, 2), "valid")
    assert called


def test_other_threads_choose_for_themselves():
    seen = []
    with kernels("reference"):
        thread = threading.Thread(target=lambda: seen.append(native.choice()))
        thread.start()
        thread.join()
    assert seen == ["native"]


def test_a_wrong_word():
    with pytest.raises(ValueError, match="native.*reference"), kernels("fast"):
        pass
