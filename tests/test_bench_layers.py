"""The rows of `bench.layers` mean the same layer in every system."""

import numpy as np
import pytest

pytest.importorskip("bench", reason="the benchmarks come with the sources only")

from bench.layers import jax_
from bench.layers.agreement import difference
from bench.layers.job import measured
from bench.layers.rows import FAMILIES, ROWS, Row
from bench.layers.rows.row import BACKWARD, MODES
from bench.layers.table import best_ratio, shown
from bench.layers.timing import fastest, in_turn

EACH_ROW = pytest.mark.parametrize("row", [row.shrunk() for row in ROWS], ids=lambda r: r.name)


def ours(row):
    found = jax_.case_of(row)
    assert found is not None, f"Slipstream has no {row.family}"
    case, layer = found
    return case, jax_.programs(layer, case)


@EACH_ROW
def test_a_row_is_the_same_layer_in_keras(row):
    if row.host:
        pytest.importorskip("tensorflow", reason="Keras' layers on the host are of TensorFlow")
    case, mine = ours(row)
    layer = jax_.keras_layer(case)
    if layer is None:
        pytest.skip(f"Keras has no {row.family}")
    theirs, mode = jax_.programs(layer, case), row.modes[-1]
    assert difference(case, mine[mode].arrays(), theirs[mode].arrays()) == ""


@EACH_ROW
def test_a_row_is_the_same_layer_in_pytorch(row):
    pytest.importorskip("torch")
    from bench.layers import torch_

    case, mine = ours(row)
    theirs = torch_.programs(case)
    if not theirs:
        pytest.skip(f"PyTorch has no {row.family}")
    for mode in row.modes:
        expected = mine[mode].arrays()
        for program in theirs[mode]:
            assert difference(case, expected, program.arrays()) == "", program.way


def test_what_differs_is_told():
    row = next(row for row in ROWS if row.family == "Dense").shrunk()
    case, mine = ours(row)
    outputs, gradients = mine[BACKWARD].arrays()
    off = gradients.copy()
    off[0, 0] += 0.01 * np.abs(gradients).max()
    assert difference(case, [outputs, gradients], [outputs, off]).startswith("gradients of the")
    assert difference(case, [outputs, gradients], [outputs * 1.01, gradients]).startswith("outputs")
    assert "shapes" in difference(case, [outputs], [outputs[:1]])
    assert difference(case, [outputs * np.nan], [outputs]) != ""


def test_a_layer_that_draws_is_held_against_itself():
    case, (outputs, gradients) = drawn("Dropout", (50, 400))
    good = [outputs, gradients]
    assert difference(case, good, good) == ""
    assert (
        difference(case, good, [outputs, gradients[::-1]])
        == "gradients do not follow what was kept"
    )
    assert difference(case, good, [outputs * 0.9, gradients]) == "what is kept is scaled wrongly"
    assert "are kept" in difference(case, good, [case.inputs[0] * 2, gradients])


def drawn(family, shape):
    row = next(row for row in ROWS if row.family == family)._replace(shape=shape)
    case, mine = ours(row)
    return case, mine[BACKWARD].arrays()


def test_dropout_of_channels_drops_whole_ones():
    case, (outputs, _) = drawn("SpatialDropout2D", (20, 3, 3, 50))
    single = outputs.copy()
    single[:, 0, 0] = 0
    assert difference(case, [outputs], [single]) == "what is kept is scaled wrongly"
    assert "are kept" in difference(case, [outputs], [case.inputs[0] * 2])


def test_alpha_dropout_puts_its_constant_in_place():
    case, (outputs, gradients) = drawn("AlphaDropout", (50, 400))
    dropped = gradients == 0
    zeros = np.where(dropped, 0, outputs)
    assert difference(case, [outputs], [zeros]) != ""
    assert "do not follow" in difference(case, [outputs], [outputs, gradients[::-1]])


def test_noise_has_its_mean_and_size():
    case, (outputs, gradients) = drawn("GaussianNoise", (50, 400))
    noise = outputs - case.inputs[0]
    for wrong in (case.inputs[0] + 1.1 * noise, outputs + 0.01, case.inputs[0]):
        assert difference(case, [outputs], [wrong]).startswith("the noise has mean")
    assert "not passed on" in difference(case, [outputs], [outputs, 2 * gradients])


def test_every_input_of_several_is_compared():
    row = next(row for row in ROWS if row.family == "Multiply").shrunk()
    case, mine = ours(row)
    outputs, first, second = mine[BACKWARD].arrays()
    np.testing.assert_allclose(first, case.cotangent * case.inputs[1], rtol=1e-5)
    np.testing.assert_allclose(second, case.cotangent * case.inputs[0], rtol=1e-5)
    swapped = [outputs, second, first]
    assert difference(case, [outputs, first, second], swapped).startswith("gradients of the")


def test_a_row_without_a_gradient_has_one_mode():
    row = next(row for row in ROWS if row.family == "Discretization")
    _, mine = ours(row.shrunk())
    assert list(mine) == ["forward"]
    assert measured(row._replace(family="NoSuchLayer"), 1) == {"forward": {"why": "not there yet"}}


def test_a_system_without_the_layer_has_an_empty_cell():
    assert shown(best_ratio({"Slipstream": 2.0, "PyTorch": 1.0})) == "**0.50× slower**"
    assert shown(best_ratio({"Slipstream": 2.0, "Keras-jax": 6.0, "PyTorch": 4.0})) == "2.00×"
    assert shown(best_ratio({"Slipstream": 2.0})) == "–"


def test_a_row_without_a_layer_says_so():
    found = measured(Row("NoSuchLayer", "", (2, 3)), 1)
    assert found == {mode: {"why": "not there yet"} for mode in MODES}


def test_a_row_that_fails_says_why():
    found = measured(Row("Dense", "", (2, 3), {"units": -1}), 1)
    assert all(each["why"].startswith("failed: ValueError: ") for each in found.values())


def test_functions_are_timed_in_turn():
    calls = []
    found = in_turn({name: lambda name=name: calls.append(name) for name in "abc"}, 3)
    assert [len(values) for values in found.values()] == [3, 3, 3]
    turns = "".join(name for name, before in zip(calls, [None, *calls]) if name != before)
    assert turns == "abc" + "abc" + "acb" + "ac"  # warming up; then abc, acb, and b again in bac


def test_the_fastest_way_is_found():
    import time

    assert fastest([lambda: time.sleep(0.03), lambda: time.sleep(0.001)]) == 1


def test_every_family_named_in_the_table_is_there():
    assert len(set(FAMILIES)) == len(FAMILIES)
    assert len({row.name for row in ROWS}) == len(ROWS)
