"""The recurrent cells' GPU kernels: emulated here, and as they are where there is a GPU."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrent_cases import GATES, arrays

from slipstream.kernels import cells, cells_in_pallas, cells_on_gpu

# batch, time, units; scaled, masked, reverse, sequences
CASES = [
    ((3, 4, 7), True, True, True, True),
    ((17, 3, 16), False, True, False, False),
    ((2, 2, 33), True, False, True, False),
]
on_a_gpu = jax.default_backend() == "gpu"


def values_and_cotangents(cell, case, dtype):
    """Of the kernels and of the reference, each as names to arrays."""
    shape, scaled, masked, reverse, sequences = case
    given = arrays(cell, *shape, scaled, masked, dtype)
    how = {"cell": cell, "reverse": reverse, "sequences": sequences}
    exact = [each if each.dtype == bool else each.astype("float32") for each in given]

    def reference(*floats):
        return cells._reference(*floats, exact[6], **how)[0]

    def ours(given, seeds):
        outputs, memory, *saved = cells_on_gpu.value(*given, save=True, **how)
        seeds = [seed.astype(dtype) for seed in seeds]
        return (outputs, memory), cells._gradient_on_gpu(given, saved, seeds, **how)

    def theirs(exact, seeds):
        found, back = jax.vjp(reference, *exact[:6])
        return found, back(tuple(seeds))

    draw = np.random.default_rng(1)
    shapes = jax.eval_shape(reference, *exact[:6])
    seeds = [jnp.asarray(draw.normal(size=each.shape), "float32") for each in shapes]
    names = ("outputs", "memory", "z", "bias", "kernel", "h", "c", "scale")
    for function, arguments in ((ours, given), (theirs, exact)):
        yield dict(zip(names, jax.tree.leaves(jax.jit(function)(arguments, seeds)), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cell", cells.CELLS)
@pytest.mark.parametrize(
    ("dtype", "precision", "tolerance"),
    [("float32", "highest", 1e-5), ("float32", "default", 3e-3), ("bfloat16", "default", 3e-2)],
)
def test_the_kernels_compute_what_the_reference_does(
    dtype, precision, tolerance, cell, case, monkeypatch
):
    if not on_a_gpu:
        if case is not CASES[0] and precision != "highest":
            pytest.skip("emulating takes long: one case of each rounding")
        monkeypatch.setattr(cells_on_gpu, "_shared", lambda: 99 << 10)
    with jax.default_matmul_precision(precision):
        found, wanted = values_and_cotangents(cell, case, dtype)
    precise = precision == "highest"
    for name, value in wanted.items():
        assert found[name].shape == value.shape
        if cell == "relu" and not precise and name not in ("outputs", "memory"):
            continue  # a state near zero may lie on the other side of it
        size = float(jnp.max(jnp.abs(value), initial=1))
        ours = np.asarray(found[name], "float32") / size
        np.testing.assert_allclose(ours, value / size, atol=tolerance, err_msg=name)


@pytest.mark.skipif(on_a_gpu, reason="emulated")
@pytest.mark.parametrize("held", [1, 4])
@pytest.mark.parametrize("rows", [8, 16])
def test_gates_are_stacked_or_not_alike(rows, held, monkeypatch):
    monkeypatch.setattr(cells_on_gpu, "_shared", lambda: 99 << 10)
    monkeypatch.setattr(cells_on_gpu, "_multiprocessors", lambda: int(rows == 8))  # or too few
    monkeypatch.setattr(cells_on_gpu._Shapes, "held", lambda *_: held)
    lines, gates = [], cells_in_pallas._stacked_gates
    monkeypatch.setattr(
        cells_in_pallas, "_stacked_gates", lambda z: lines.append(z.shape[1]) or gates(z)
    )
    with jax.default_matmul_precision("default"):
        found, wanted = values_and_cotangents("lstm", CASES[0], "float32")
    assert set(lines) == ({rows} if held == 4 else set())
    for name, value in wanted.items():
        size = float(jnp.max(jnp.abs(value), initial=1))
        np.testing.assert_allclose(found[name] / size, value / size, atol=3e-3, err_msg=name)


@pytest.mark.parametrize(
    ("cell", "units", "room", "held"),
    [
        ("lstm", 128, 227, 4),
        ("lstm", 128, 99, 1),  # and one gate's that pass through
        ("gru", 128, 163, 3),
        ("relu", 128, 99, 1),
        ("lstm", 64, 99, 4),
    ],
)
def test_weights_that_stay_leave_room_for_those_that_pass(cell, units, room, held, monkeypatch):
    monkeypatch.setattr(cells_on_gpu, "_shared", lambda: room << 10)
    shapes = cells_on_gpu._Shapes((1, 2, GATES[cell] * units), units, jnp.dtype("float32"))
    assert shapes.held(shapes.halved(cell)) == held


def test_a_program_for_a_gpu_has_the_kernels(monkeypatch):
    monkeypatch.setattr(cells_on_gpu, "_shared", lambda: 227 << 10)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    given = arrays("lstm", 3, 4, 8)
    how = {"cell": "lstm", "reverse": False, "sequences": True}

    def loss(*floats):
        return sum(each.sum() for each in cells.loop(*floats, given[6], **how))

    program = jax.jit(jax.grad(loss, range(5))).trace(*given[:6])
    assert cells_on_gpu.supports(*given)
    try:
        text = program.lower(lowering_platforms=("cuda",)).as_text()
    except RuntimeError as error:  # later versions of JAX want to see the GPU
        pytest.skip(str(error))
    assert text.count("gpu.triton") == 2


@pytest.mark.parametrize("supported", [True, False])
def test_wide_cells_are_left_to_the_compiler(supported, monkeypatch):
    monkeypatch.setattr(cells_on_gpu, "_shared", lambda: (227 << 10) * supported)

    def fits(units, dtype="float32", time=9):
        return cells_on_gpu.fits(1000, time, units, 4 * units, dtype)

    assert fits(128) == supported
    assert not fits(129)
    assert fits(65, time=4000) == supported and not fits(65, time=4200)  # filled up to 128
    with jax.default_matmul_precision("highest"):
        assert fits(64) == fits(128, "bfloat16") == supported
        assert not fits(65)


@pytest.mark.skipif(not on_a_gpu, reason="there is no GPU here")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("units", [16, 100, 128])
def test_there_the_operation_runs_them(units, cell):
    given = arrays(cell, 33, 20, units, masked=True)
    how = {"cell": cell, "reverse": True, "sequences": True}
    ours = jax.jit(partial(cells.loop, **how))
    with jax.default_matmul_precision("default"):
        assert "gpu.triton" in ours.lower(*given).as_text()
        found = ours(*given)
    for array, wanted in zip(found, cells._reference(*given, **how)[0], strict=True):
        np.testing.assert_allclose(array, wanted, atol=1e-2)
