"""Rows picked by their numbers: the compiled form beside the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream.kernels import native
from slipstream.kernels.embedding import look_up
from slipstream.kernels.gathering import take_rows

pytestmark = needs_native

TYPES = ["float32", "bfloat16", "float16", "uint8", "int32", "int16", "bool"]
PLACES = np.random.default_rng(3).integers(0, 70, 5000).astype(np.int32)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("row", [(), (7,), (64,), (5, 3)], ids=str)
def test_rows(row, dtype):
    table = (100 * normal(70, *row)).astype(dtype)
    function = jax.jit(take_rows)
    with native.kernels("native"):
        found = np.asarray(function(table, PLACES))
        text = function.lower(table, PLACES).as_text()
    assert ("slipstream_take_rows" in text) == (found.nbytes >= 2**15)
    assert found.dtype == table.dtype
    np.testing.assert_array_equal(found, np.asarray(table)[PLACES])


def test_places_may_have_axes_and_rows_a_gradient():
    table, places = normal(70, 9), jnp.asarray(PLACES[:2000]).reshape(10, 20, 10)
    agree(lambda table: take_rows(table, places), table)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_looked_up_beyond_the_table(dtype):
    table = normal(70, 24, dtype=dtype)
    places = jnp.arange(-800, 800, dtype=jnp.int32)
    function = jax.jit(look_up)
    with native.kernels("native"):
        assert "slipstream_take_rows" in function.lower(table, places).as_text()
        found = np.asarray(function(table, places), "f")
    with native.kernels("reference"):
        wanted = np.asarray(function(table, places), "f")
    assert np.isnan(wanted).all(1).sum() == 1600 - 140
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, name_of(__file__))
