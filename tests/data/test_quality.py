"""`data.check`: each kind of finding where it is, none where it is not, in time."""

import time

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as real

from slipstream import data
from slipstream.data.quality.rows import first_alike

ROWS = 400


@pytest.fixture
def clean(rng):
    return rng.normal(size=(ROWS, 6)).astype("f"), rng.integers(0, 3, ROWS)


def kinds(found):
    return [each.kind for each in found.findings]


class TestClean:
    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", jnp.bfloat16])
    def test_nothing_is_found_in_noise(self, clean, dtype):
        x, y = clean
        found = data.check(x.astype(dtype)[:300], y[:300], (x.astype(dtype)[300:], y[300:]))
        assert found.ok and "nothing found" in str(found)
        assert (found.rows, found.cells) == (300, ROWS * 6)

    def test_noise_seldom_gives_a_target_away(self):
        """Many columns and few rows: among 20,000 columns some look as if they did."""
        numbers, alarms = np.random.default_rng(0), 0
        for trial in range(30):
            y = numbers.integers(0, 2, 12) if trial % 2 else np.arange(12) == 3
            x = numbers.normal(size=(12, 700)).astype("f")
            alarms += data.check(x, y).of("target leak") is not None
        assert alarms == 0

    @pytest.mark.parametrize(
        ("name", "wanted"),
        [
            ("iris", ["duplicates"]),
            ("wine", ["scale"]),
            ("breast_cancer", ["scale"]),
            ("digits", ["constant"]),
            ("diabetes", []),
        ],
    )
    def test_what_real_tables_are_known_for(self, name, wanted):
        loaded = getattr(real, f"load_{name}")(as_frame=True)
        assert kinds(data.check(loaded.data, loaded.target)) == wanted


class TestColumns:
    def test_missing_and_infinite(self, clean):
        x, y = clean
        x[3, 1] = x[5, 1] = x[6, 2] = np.nan
        x[7, 0], x[8, 0] = np.inf, -np.inf
        found = data.check(x, y, names=list("abcdef"))
        assert kinds(found) == ["missing", "infinite"]
        assert found.of("missing").columns == ("b", "c")
        assert "3 values are missing: b (2), c (1)" in found.of("missing").text
        assert found.of("infinite").columns == ("a",)

    def test_numbers_that_32_bits_cannot_hold(self, clean):
        x, y = clean
        x = x.astype("d")
        x[0, 0] = 1e300
        assert kinds(data.check(x, y)) == ["infinite"]

    def test_targets_without_a_number(self, clean):
        x, _ = clean
        y = np.linspace(0, 1, ROWS)
        y[[2, 4]] = np.nan
        found = data.check(x, y)
        assert kinds(found) == ["missing"] and "2 targets" in found.findings[0].text
        several = data.check(x, {"a": y, "b": y})
        assert kinds(several) == ["missing"] and "4 targets" in several.findings[0].text

    @pytest.mark.parametrize("gap", [None, np.nan])
    def test_constant(self, clean, gap):
        x, y = clean
        x[:, 2] = 7
        if gap is not None:
            x[1, 2] = gap
            x[:, 4] = gap
        found = data.check(x, y).of("constant")
        assert found.columns == (("column 2",) if gap is None else ("column 2", "column 4"))

    def test_constant_places_of_pictures_are_no_finding(self, clean, rng):
        pictures = np.zeros((ROWS, 5, 5), "f")
        pictures[:, 1:4, 1:4] = rng.normal(size=(ROWS, 3, 3))
        assert data.check(pictures, clean[1]).ok

    @pytest.mark.parametrize(
        ("factors", "columns"),
        [
            ([1, 1, 1, 1, 1, 5000], ("column 5", None)),
            ([1, 1, 1, 1e-4, 1, 1], (None, "column 3")),
            ([1, 1, 1, 0.1, 1, 5], None),
        ],
    )
    def test_scales(self, clean, factors, columns):
        found = data.check(clean[0] * np.asarray(factors), clean[1]).of("scale")
        if columns is None:
            assert found is None
        else:
            assert all(c in (None, f) for c, f in zip(columns, found.columns))
            assert "Normalization" in found.remedy

    def test_a_rare_one_is_no_matter_of_scale(self, clean):
        x, y = clean
        x[:, 0] = 0
        x[5, 0] = 1
        x[:, 1] *= 9
        assert data.check(x, y).ok

    def test_bytes_of_pictures(self, rng):
        pictures = rng.integers(0, 256, (50, 4, 4, 3), dtype=np.uint8)
        found = data.check(pictures).of("scale")
        assert "255" in found.text and "Rescaling(1 / 255)" in found.remedy


class TestRows:
    @pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32", "bool"])
    @pytest.mark.parametrize("shape", [(5,), (1,), (2, 3), (3, 3, 3)])
    def test_equal_rows_are_those_numpy_finds(self, rng, dtype, shape):
        rows = rng.integers(0, 3, (60, *shape)).astype(dtype)
        _, first, inverse = np.unique(
            rows.reshape(60, -1), axis=0, return_index=True, return_inverse=True
        )
        wanted = np.flatnonzero(first[inverse.ravel()] != np.arange(60))
        found = data.check(rows).of("duplicates")
        np.testing.assert_array_equal([] if found is None else found.rows, wanted)

    def test_zeros_and_gaps_are_equal_whatever_their_bits(self):
        table = np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 1.0]], "f")
        assert first_alike([table]).tolist() == [0, 0, 2]

    def test_rows_are_equal_in_all_inputs_or_not_at_all(self, rng):
        a, b = np.zeros((4, 2), "f"), np.array([[1], [2], [1], [3]], "f")
        assert data.check({"a": a, "b": b}).of("duplicates").rows.tolist() == [2]

    @pytest.mark.parametrize("shape", [(6,), (4, 4), (4, 4, 3)])
    def test_leak(self, rng, shape):
        x = rng.normal(size=(100, *shape)).astype("f")
        held = rng.normal(size=(30, *shape))
        held[[4, 9]] = x[[50, 3]]
        found = data.check(x, None, held)
        assert kinds(found) == ["leak"] and found.findings[0].grave
        assert found.findings[0].rows.tolist() == [4, 9]
        assert "2 of 30 validation rows (6.67 %) are" in found.findings[0].text

    def test_a_row_twice_in_the_validation_alone_is_no_leak(self, rng):
        held = np.repeat(rng.normal(size=(5, 3)), 2, 0)
        assert data.check(rng.normal(size=(50, 3)), None, held).ok

    def test_contradicting_classes(self, clean):
        x, y = clean
        x[10:14] = x[10]
        y[10:14] = 0, 0, 0, 1
        found = data.check(x, y)
        assert kinds(found) == ["duplicates", "contradiction"]
        assert found.of("contradiction").rows.tolist() == [10, 11, 12, 13]
        assert f"{100 * (ROWS - 1) / ROWS:.1f} %" in found.of("contradiction").text

    def test_contradicting_values(self, clean):
        x, _ = clean
        x[200:] = x[:200]
        y = np.tile(np.linspace(-1, 1, 200), 2) + np.repeat([0.3, -0.3], 200)
        found = data.check(x, y).of("contradiction")
        within, total = 400 * 0.09, ((y - y.mean()) ** 2).sum()
        assert f"{1 - within / total:.3f}" in found.text and len(found.rows) == 400

    def test_equal_rows_of_one_label_do_not_contradict(self, clean):
        x, y = np.tile(clean[0], (2, 1)), np.tile(clean[1], 2)
        assert kinds(data.check(x, y)) == ["duplicates"]


class TestLabels:
    @pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "text", "floats"])
    def test_imbalance(self, clean, form):
        y = np.zeros(ROWS, int)
        y[:20] = 1
        y = {
            "numbers": y, "column": y[:, None], "one-hot": np.eye(2)[y],
            "text": np.array(["no", "yes"])[y], "floats": y.astype("f"),
        }[form]  # fmt: skip
        found = data.check(clean[0], y)
        assert kinds(found) == ["imbalance"] and "95 %" in found.findings[0].text
        assert "class_weight={0: 0.53, 1: 10.0}" in found.findings[0].remedy

    def test_a_little_imbalance_is_usual(self, clean):
        assert data.check(clean[0], np.arange(ROWS) % 5 == 0).ok

    def test_classes_that_training_never_sees(self, clean):
        x, y = clean
        held = np.full(3, 7)
        found = data.check(x, y, (x[:3] + 1, held))
        assert kinds(found) == ["unseen"] and "7" in found.findings[0].text

    @pytest.mark.parametrize("y", [np.ones(ROWS, int), np.full(ROWS, 0.5), ["a"] * ROWS])
    def test_nothing_to_learn(self, clean, y):
        found = data.check(clean[0], y)
        assert kinds(found) == ["constant"] and found.findings[0].columns == ("target",)

    def test_the_task_may_be_named(self, rng):
        x, y = rng.normal(size=(60, 3)), np.repeat([0, 1], [57, 3])
        assert kinds(data.check(x, y)) == ["imbalance"]
        assert data.check(x, y, task="regression").ok
        with pytest.raises(ValueError, match="task"):
            data.check(x, y, task="clustering")


class TestTargetLeak:
    @pytest.mark.parametrize(
        "column",
        [
            lambda y, rng: y,
            lambda y, rng: 5 - 2.0 * y + rng.uniform(0, 0.9, len(y)),
            lambda y, rng: np.array([40, 7, 99])[y],
            lambda y, rng: np.where(rng.random(len(y)) < 0.5, y, y + 10),  # one of two codes each
            lambda y, rng: np.where(y == 1, np.nan, y),  # missing says it
        ],
        ids=["copy", "bands", "codes", "two codes", "gap"],
    )
    def test_of_classes(self, clean, rng, column):
        x, y = clean
        x[:, 3] = column(y, rng)
        found = data.check(x, y).of("target leak")
        assert found.columns == ("column 3",) and found.grave

    def test_almost_is_no_leak(self, clean):
        x, y = clean
        x[:, 3] = y
        x[0, 3] = y[0] + 1
        assert data.check(x, y).of("target leak") is None

    def test_beyond_the_sample(self, rng):
        y = rng.integers(0, 2, 5000)
        x = rng.normal(size=(5000, 4))
        x[:, 0] = x[:, 1] = y
        x[4000, 1] = 1 - y[4000]
        assert data.check(x, y).of("target leak").columns == ("column 0",)

    @pytest.mark.parametrize(
        "column",
        [np.exp, lambda y: -3 * y + 1, lambda y: y + 1e-4 * np.sin(1e4 * y)],
        ids=["rising", "falling", "almost"],
    )
    def test_of_values(self, clean, rng, column):
        y = rng.normal(size=ROWS)
        clean[0][:, 5] = column(y)
        assert data.check(clean[0], y).of("target leak").columns == ("column 5",)

    def test_a_strong_feature_is_no_leak(self, clean, rng):
        y = rng.normal(size=ROWS)
        clean[0][:, 5] = y + 0.1 * rng.normal(size=ROWS)
        assert data.check(clean[0], y).ok

    def test_a_row_number_gives_nothing_away(self, clean):
        x, y = clean
        x[:, 0] = np.arange(ROWS) / ROWS
        assert data.check(x, y).ok


class TestFrames:
    def test_texts_dates_and_nullable_numbers(self, rng):
        frame = pd.DataFrame(
            {
                "city": rng.choice(["Bern", "Genf"], 60).astype(object),
                "since": pd.date_range("2020-01-01", periods=60),
                "count": pd.array([1, None, 3] * 20, dtype="Int64"),
                "same": ["x"] * 60,
            }
        )
        frame.loc[3, "city"] = None
        held = frame.iloc[[5]]
        found = data.check(frame, None, held)
        assert found.of("missing").columns == ("count", "city")
        assert "count (20), city (1)" in found.of("missing").text
        assert found.of("constant").columns == ("same",)
        assert found.of("leak").rows.tolist() == [0]

    @pytest.mark.parametrize("library", ["polars", "pyarrow"])
    def test_tables_of_other_libraries(self, library):
        values = {"size": [1.0, None, 3.0], "said": ["x", "x", "x"]}
        module = pytest.importorskip(library)
        table = module.table(values) if library == "pyarrow" else module.DataFrame(values)
        found = data.check(table)
        assert found.of("missing").columns == ("size",)
        assert found.of("constant").columns == ("said",)

    def test_a_text_that_gives_the_target_away(self, rng):
        y = rng.integers(0, 2, 50)
        x = pd.DataFrame({"value": rng.normal(size=50), "said": np.array(["n", "y"])[y]})
        assert data.check(x, y).of("target leak").columns == ("said",)

    def test_arrays_of_texts_and_lists(self):
        assert data.check([["a", "b"], ["a", "c"]]).of("constant").columns == ("column 0",)
        assert data.check([[1.0, 2.0], [1.0, 3.0]]).of("constant").columns == ("column 0",)
        assert data.check([[1.0], [2.0]], [0, 1]).ok


class TestInput:
    def test_batches(self):
        with pytest.raises(TypeError, match="comes in batches"):
            data.check(iter([np.ones((2, 3))]))

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ((np.ones((3, 2)), np.ones(4)), "3 rows and y 4"),
            ((np.ones((0, 2)),), "no rows"),
            ((np.float32(1),), "first axis"),
            (({"a": np.ones(3), "b": np.ones(4)},), r"differ .* \[3, 4\]"),
            ((np.ones((3, 2)), None, np.ones((3, 5))), "other columns"),
        ],
        ids=["rows", "empty", "scalar", "ragged", "columns"],
    )
    def test_what_does_not_fit(self, arguments, match):
        with pytest.raises(ValueError, match=match):
            data.check(*arguments)

    def test_what_is_no_number(self):
        with pytest.raises(TypeError, match="complex"):
            data.check(np.ones((3, 2), complex))


@pytest.mark.parametrize("shape", [(10_000, 100), (1_000_000, 1), (1_000, 1_000), (1_276, 28, 28)])
def test_a_million_cells_take_less_than_a_second(rng, shape):
    x, y = rng.normal(size=shape).astype("f"), rng.integers(0, 10, shape[0])
    held = x[: shape[0] // 5] + 1
    times = []
    for _ in range(3):
        begin = time.process_time()
        data.check(x, y, (held, y[: len(held)]))
        times.append(time.process_time() - begin)
    assert min(times) < 1


def test_it_prints_a_line_and_a_remedy_each(clean):
    x, y = clean
    x[:, 2], x[0, 0] = 7, np.nan
    lines = str(data.check(x, y)).splitlines()
    assert lines[0].startswith("Data check (400 rows, 2,400 cells, ") and "2 findings" in lines[0]
    assert lines[1].startswith("  ! 1 value is missing") and lines[2].startswith("      Fill")
    assert lines[3].startswith("  - 1 column with one value only") and len(lines) == 5
