"""Products of many pairs of matrices, compiled, beside the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import slipstream as ss
from slipstream.kernels import batched, native
from slipstream.kernels.batched import batched_product, einsum
from tests.kernels.native_cases import agree, name_of, needs_native, normal, others, passes_with

TURNED = [(False, False), (False, True), (True, False), (True, True)]
SIZES = [(1, 4, 32, 33), (3, 24, 17, 40), (5, 130, 64, 10), (40, 16, 16, 16), (2, 61, 300, 97)]


def pair(count, rows, depth, columns, left_turned=False, right_turned=False):
    x = normal(count, depth, rows) if left_turned else normal(count, rows, depth)
    shape = (columns, depth) if right_turned else (depth, columns)
    return x, normal(count, *shape, seed=1)


@needs_native
@pytest.mark.parametrize("turned", TURNED, ids=str)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_values_and_gradients(sizes, turned):
    x, matrices = pair(*sizes, *turned)
    assert batched._supports(x, matrices, left_turned=turned[0], right_turned=turned[1])
    agree(lambda x, m: batched_product(x, m, *turned), x, matrices)
    wanted = np.einsum(
        "bkr,bkc->brc",
        np.asarray(x, "d") if turned[0] else np.swapaxes(np.asarray(x, "d"), 1, 2),
        np.swapaxes(np.asarray(matrices, "d"), 1, 2) if turned[1] else np.asarray(matrices, "d"),
    )
    with native.kernels("native"):
        np.testing.assert_allclose(batched_product(x, matrices, *turned), wanted, atol=3e-4)


@pytest.mark.parametrize("axes", [(), (2,), (2, 3)], ids=str)
def test_any_axes_before_the_last_two(axes):
    x, matrices = normal(*axes, 5, 40), normal(*axes, 40, 30, seed=1)
    np.testing.assert_allclose(batched_product(x, matrices), x @ matrices, 1e-4, 1e-4)
    turned = batched_product(jnp.swapaxes(x, -1, -2), jnp.swapaxes(matrices, -1, -2), True, True)
    np.testing.assert_allclose(turned, x @ matrices, 1e-4, 1e-4)


def test_axes_that_are_broadcast_and_types_that_differ():
    x, matrices = normal(4, 5, 40), normal(1, 40, 30, seed=1)
    np.testing.assert_allclose(batched_product(x, matrices), x @ matrices, 1e-4, 1e-4)
    half = batched_product(x, jnp.repeat(matrices, 4, 0).astype("bfloat16"))
    np.testing.assert_allclose(half, x @ matrices.astype("bfloat16"), 1e-4, 1e-4)


def test_second_derivatives_and_batching():
    x, matrices = pair(3, 9, 20, 30)

    def loss(x, m):
        return (batched_product(x, m) ** 3).sum()

    def plain(x, m):
        return ((x @ m) ** 3).sum()

    one, other = (jax.jvp(jax.grad(f, (0, 1)), (x, matrices), (x, matrices)) for f in (loss, plain))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other)):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5 * float(jnp.abs(b).max()))
    many = jnp.stack([matrices, 2 * matrices])
    found = jax.vmap(batched_product, in_axes=(None, 0))(x, many)
    np.testing.assert_allclose(found, x @ many, 1e-4, 1e-4)


@pytest.mark.parametrize(
    ("subscripts", "is_batched"),
    [
        ("btd,bsd->bts", True),
        ("bhqd,bhkd->bhqk", True),
        ("bhqk, bhkd -> bhqd", True),
        ("bki,bkj->bij", True),
        ("bij,bki->bkj", True),
        ("bij,bkj->bki", True),
        ("bij,bjk->ikb", False),
        ("bij,bij->bij", False),
        ("bij,bij->b", False),
        ("bij,bik->bij", False),
        ("bij,jk->bik", False),
        ("...ij,...jk->...ik", False),
        ("bij,bjk", False),
    ],
)
def test_einsum(subscripts, is_batched):
    inputs = subscripts.replace(" ", "").partition("->")[0].replace("...", "b").split(",")
    arrays = [normal(*({"b": 2, "h": 3}.get(c, 12) for c in each)) for each in inputs]
    wanted = jnp.einsum(subscripts, *arrays)
    for found in (einsum(subscripts, *arrays), ss.ops.einsum(subscripts, *arrays)):
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-4)
    text = str(jax.make_jaxpr(lambda *a: einsum(subscripts, *a))(*arrays))
    assert ("batched_product" in text) == is_batched


def test_operations_of_users_come_here():
    x, y = normal(2, 3, 20, 24), normal(2, 3, 24, 30, seed=1)
    assert "batched_product" in str(jax.make_jaxpr(ss.ops.matmul)(x, y))
    np.testing.assert_allclose(ss.ops.matmul(x, y), x @ y, 1e-4, 1e-4)
    whole = jnp.arange(24).reshape(2, 3, 4).astype("int8")
    assert ss.ops.matmul(whole, jnp.swapaxes(whole, 1, 2)).dtype == "int32"


@needs_native
@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_other_libraries(library):
    passes_with(library, name_of(__file__))
