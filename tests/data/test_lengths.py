"""`data.bucket` and `data.pack`: nothing is lost, little is padded, few shapes are left."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream import data, layers, optimizers
from slipstream.data.sequences.bucket import best_lengths
from slipstream.models import Model, Sequential

sizes_of = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def sequences(sizes, width=()):
    """Sequences whose numbers are their own: row * 1000 + step + 1."""
    return [
        np.broadcast_to(
            (row * 1000 + np.arange(size) + 1).reshape(-1, *[1] * len(width)), (size, *width)
        ).astype("f")
        for row, size in enumerate(sizes)
    ]


class TestBoundaries:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(1, 12), min_size=1, max_size=20), st.integers(1, 4))
    def test_no_other_choice_pads_less(self, sizes, buckets):
        sizes = np.array(sizes)
        ends = best_lengths(sizes, buckets)
        distinct = np.unique(sizes)
        assert len(ends) == min(buckets, len(distinct)) and ends[-1] == sizes.max()
        padded = lambda ends: np.asarray(ends)[np.searchsorted(ends, sizes)].sum()  # noqa: E731
        every = combinations(distinct[:-1].tolist(), len(ends) - 1)
        assert padded(ends) == min(padded([*some, distinct[-1]]) for some in every)

    def test_multiples_and_very_many_lengths(self, rng):
        sizes = rng.integers(1, 100_000, 5000)
        ends = best_lengths(sizes, 4, multiple=8)
        assert (ends % 8 == 0).all() and ends[-1] >= sizes.max()
        assert ends[-1] - sizes.max() < 100  # grains of 100,000 / 2048
        assert (ends[np.searchsorted(ends, sizes)] - sizes).mean() < 13_500  # a quarter's half


class TestBucket:
    @settings(max_examples=40, deadline=None)
    @given(sizes_of, st.integers(1, 4), st.integers(1, 9), st.integers(0, 5))
    def test_each_sequence_comes_once_whole_and_padded(self, sizes, buckets, batch_size, number):
        x = sequences(sizes, (2,))
        y = np.arange(len(sizes))
        found = data.bucket(x, y, buckets=buckets, batch_size=batch_size, value=-1)
        seen = []
        for part, rows in found.batches(seed=3, number=number):
            assert part.shape[0] <= batch_size and part.shape[1] in found.boundaries
            for values, row in zip(part, rows.tolist()):
                np.testing.assert_array_equal(values[: sizes[row]], x[row])
                assert (values[sizes[row] :] == -1).all()
                seen.append(row)
        assert sorted(seen) == y.tolist()
        shapes = [part.shape[:2] for part, _ in found.batches(seed=3, number=number)]
        assert set(shapes) <= set(found.shapes) and len(shapes) == len(found)
        assert len(found.boundaries) <= buckets and len(found.shapes) <= 2 * buckets

    def test_padding_falls_with_every_bucket(self, rng):
        x = sequences(rng.integers(5, 100, 400))
        shares = [data.bucket(x, buckets=n).padding for n in (1, 2, 4, 8)]
        assert shares == sorted(shares, reverse=True) and shares[2] < shares[0] / 2
        batches = list(data.bucket(x, buckets=4))
        steps = sum(part.size for part in batches)
        assert 1 - sum(map(len, x)) / steps == pytest.approx(shares[2])

    def test_order_follows_from_seed_and_pass(self, rng):
        found = data.bucket(sequences(rng.integers(1, 30, 50)), buckets=3, batch_size=8)
        rows = lambda *where: [b[:, 0].tolist() for b in found.batches(*where)]  # noqa: E731
        assert rows(1, 0) == rows(1, 0) != rows(1, 1) != rows(2, 1)
        assert rows(1, 1, 4) == rows(1, 1)[4:]  # a resumed run goes on
        plain = data.bucket(sequences(rng.integers(1, 30, 50)), shuffle=False)
        one, other = ([b.tolist() for b in plain.batches(*where)] for where in ((1, 0), (2, 5)))
        assert one == other

    def test_targets_of_steps_and_their_weights(self):
        x = sequences([2, 5, 3])
        y = [np.arange(len(each)) for each in x]
        for part, wanted, weight in data.bucket(x, y, buckets=1):
            assert part.shape == wanted.shape == weight.shape == (3, 5)
            np.testing.assert_array_equal(weight, part > 0)
            np.testing.assert_array_equal(wanted, weight * np.arange(5))

    def test_padded_arrays_with_lengths(self):
        x = np.arange(24).reshape(3, 8)
        ((part, wanted, weight),) = data.bucket(
            x, x * 2, lengths=[2, 5, 3], buckets=1, shuffle=False
        )
        assert part.tolist() == [[0, 1, 0, 0, 0], [8, 9, 10, 11, 12], [16, 17, 18, 0, 0]]
        np.testing.assert_array_equal(wanted, 2 * part)
        assert weight.sum(1).tolist() == [2, 5, 3]

    def test_inputs_by_name(self):
        x = {"steps": sequences([2, 4]), "other": sequences([3, 1]), "plain": np.eye(2)}
        ((part, y),) = data.bucket(x, [0, 1], buckets=1, shuffle=False)
        assert {k: v.shape for k, v in part.items()} == {
            "steps": (2, 4), "other": (2, 4), "plain": (2, 2),
        }  # fmt: skip
        assert y.tolist() == [0, 1]

    def test_fit_takes_them(self, rng):
        """Weights of padded steps are 0, so a model is fitted to the true steps alone."""
        x = [rng.normal(size=(size, 1)) + 2 for size in rng.integers(2, 9, 40)]
        y = [3 * each for each in x]
        model = Sequential([layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(optimizers.Adam(0.2), "mse")
        found = data.bucket(x, y, buckets=2, batch_size=10, value=50.0)  # with targets of 0
        model.fit(found, epochs=20, verbose=0)
        assert float(model.get_weights()[0][0, 0]) == pytest.approx(3, abs=0.05)

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"x": [np.ones(2), np.ones(0)]}, "Row 1 of x is an empty"),
            ({"x": np.ones((3, 4))}, "no sequences"),
            ({"x": []}, "no sequences"),
            ({"x": [np.ones((2, 3)), np.ones((2, 4))]}, "differ in more than their lengths"),
            ({"y": [1]}, "y 1"),
            ({"y": [np.ones(2), np.ones(4)]}, "Row 1 has 3 steps in x and 4 in y"),
            ({"x": np.ones((2, 4)), "lengths": [2, 5]}, "lengths go up to 5"),
            ({"x": np.ones((2, 4)), "lengths": [2.0, 3.0]}, "one whole number for each"),
            ({"x": np.ones((2, 4)), "lengths": [2]}, "one whole number for each"),
            ({"buckets": 0}, "buckets must be"),
            ({"buckets": [2]}, "reach the longest"),
            ({"batch_size": 0}, "batch_size must be"),
            ({"multiple": 0}, "multiple must be"),
        ],
        ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else None,
    )
    def test_what_makes_no_sense_is_refused(self, arguments, match):
        with pytest.raises(ValueError, match=match):
            data.bucket(**{"x": [np.ones(2), np.ones(3)], **arguments})

    def test_boundaries_of_the_users_own(self):
        found = data.bucket(sequences([2, 3, 9]), buckets=[4, 6, 10])
        assert found.boundaries == (4, 10)


class TestPack:
    @settings(max_examples=60, deadline=None)
    @given(sizes_of, st.integers(40, 60))
    def test_nothing_is_lost_and_no_row_could_be_spared(self, sizes, length):
        x = sequences(sizes)
        found = data.pack(x, length, value=-1)
        for row, (each, (at, begin)) in enumerate(zip(x, found.places.tolist())):
            part = slice(begin, begin + len(each))
            np.testing.assert_array_equal(found.x[at, part], each, err_msg=str(row))
            assert found.positions[at, part].tolist() == list(range(len(each)))
            assert len(set(found.segments[at, part].tolist())) == 1
        assert (found.segments > 0).sum() == sum(sizes) == found.weights.sum()
        assert (found.x[found.segments == 0] == -1).all()
        for row in found.segments:
            used = row[row > 0]
            assert (row > 0)[: len(used)].all()  # from the left
            assert used[0] == 1 and set(np.diff(used).tolist()) <= {0, 1}
        # No two rows fit into one.
        filled = np.sort((found.segments > 0).sum(1))
        assert len(filled) == 1 or filled[0] + filled[1] > length

    def test_less_is_padded_than_with_a_row_for_each(self, rng):
        sizes = rng.integers(5, 100, 500)
        found = data.pack(sequences(sizes), 128)
        assert found.padding < 0.02 < 1 - sizes.mean() / sizes.max()

    def test_several_lists_lie_side_by_side(self):
        x = sequences([3, 2], (2,))
        found = data.pack({"a": x, "b": [each[:, 0] * 2 for each in x]}, 4)
        assert found.x["a"].shape == (2, 4, 2)
        np.testing.assert_array_equal(found.x["a"][..., 0] * 2, found.x["b"])

    @pytest.mark.parametrize(("longer", "pieces"), [("cut", [4, 2]), ("split", [4, 4, 1, 2])])
    def test_longer_ones(self, longer, pieces):
        found = data.pack([np.arange(1, 10), np.array([20, 21])], 4, longer=longer)
        lengths = [
            int((found.segments[row, begin:] == found.segments[row, begin]).sum())
            for row, begin in found.places.tolist()
        ]
        assert lengths == pieces
        kept = [1, 2, 3, 4] if longer == "cut" else list(range(1, 10))
        assert sorted(found.x[found.segments > 0].tolist()) == [*kept, 20, 21]

    def test_the_next_step_stays_in_its_sequence(self):
        found = data.pack([np.array([1, 2, 3]), np.array([7, 8])], 6)
        inputs, targets, weights = found.next_step()
        assert inputs.tolist() == [[1, 2, 3, 7, 8]] and targets.tolist() == [[2, 3, 7, 8, 0]]
        assert weights.tolist() == [[1, 1, 0, 1, 0]]

    @pytest.mark.parametrize("causal", [False, True])
    def test_mask_of_segments(self, causal):
        segments = np.array([[1, 1, 2, 0]], np.int32)
        mask = data.segment_mask(segments, causal=causal)
        wanted = [[1, not causal, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
        np.testing.assert_array_equal(mask, np.array([wanted], bool))

    @pytest.mark.parametrize("causal", [False, True])
    def test_attention_in_a_model_keeps_sequences_apart(self, rng, causal):
        """A packed sequence comes out as it does alone."""
        x = [rng.normal(size=(size, 4)).astype("f") for size in (3, 5, 2)]
        packed = data.pack(x, 8)
        steps, segments = layers.Input((None, 4)), layers.Input((None,), dtype="int32")
        attention = layers.MultiHeadAttention(2, 3)
        outputs = attention(steps, steps, attention_mask=data.segment_mask(segments, causal))
        model = Model([steps, segments], outputs)
        together = model.predict([packed.x, packed.segments], verbose=0)
        for each, (row, begin) in zip(x, packed.places.tolist()):
            alone = model.predict([each[None], np.ones((1, len(each)), np.int32)], verbose=0)[0]
            np.testing.assert_allclose(
                together[row, begin : begin + len(each)], alone, rtol=1e-4, atol=1e-5
            )

    @pytest.mark.parametrize(
        ("x", "arguments", "match"),
        [
            ([np.ones(5)], {}, "Sequence 0 has 5 steps"),
            ([np.ones(2), np.ones(0)], {}, "Sequence 1 is empty"),
            ([], {}, "list of sequences"),
            ([1, 2], {}, "list of sequences"),
            ({"a": [np.ones(2)], "b": [np.ones(3)]}, {}, "differ in lengths"),
            ([np.ones(2)], {"length": 0}, "length must be"),
            ([np.ones(2)], {"longer": "drop"}, "longer must be"),
        ],
        ids=str,
    )
    def test_what_makes_no_sense_is_refused(self, x, arguments, match):
        with pytest.raises(ValueError, match=match):
            data.pack(x, **{"length": 4, **arguments})
