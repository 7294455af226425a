"""Leaks of a split: equal and nearly equal rows are found, whatever the data, and nothing else."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as real

from slipstream import data
from slipstream.data.parts.alike import Near, near_pairs
from slipstream.data.parts.alike_texts import alike_texts
from slipstream.data.parts.leaks import find_leaks, kinds
from slipstream.data.quality.rows import joined

WORDS = [f"{a}{b}{c}" for a in "bdkmt" for b in ("ar", "en", "il", "os") for c in ("ta", "ge", "x")]


def pairs_of(values, picture=False):
    every = np.arange(len(values))
    found = near_pairs([Near(values, picture)], np.zeros(len(values), np.int64), every)
    return set(map(tuple, found.tolist()))


def two_parts(first, second):
    rows = np.arange(len(first) + len(second))
    parts = np.split(rows, [len(first)])
    return find_leaks([("train", first, parts[0]), ("test", second, parts[1])])


class TestNear:
    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    def test_pictures_with_noise_and_other_light(self, dtype):
        images = real.load_digits().images * 15
        twins = images[::10] * 0.9 + np.random.default_rng(1).normal(0, 2, images[::10].shape)
        both = np.concatenate([images, twins]).clip(0, 255).astype(dtype).reshape(-1, 64)
        found = pairs_of(both, picture=True)
        wanted = {(10 * i, len(images) + i) for i in range(len(twins))}
        assert len(found & wanted) >= 0.98 * len(wanted)
        assert len(found - wanted) <= 0.01 * len(images)

    def test_rows_of_a_table_written_with_fewer_digits(self, rng):
        scale, shift = [1, 1e3, 1e-3, 1, 5, 1, 1, 1], [0, 9e3, 0, 1, 1, 1, 1, 1]
        table = rng.normal(size=(4000, 8)) * scale + shift
        twins = table[:300] * (1 + 1e-4 * rng.normal(size=(300, 8)))
        twins[::2, 3] += 0.2  # no longer alike
        found = pairs_of(np.concatenate([table, twins]).astype("f"))
        assert found == {(i, 4000 + i) for i in range(1, 300, 2)}

    def test_what_is_missing_does_not_count_as_near(self, rng):
        table = rng.normal(size=(500, 6)).astype("f")
        gaps = table[:20].copy()
        gaps[:, 2] = np.nan
        leaks = two_parts(table, gaps)
        assert leaks.ok
        gaps[:, 2] = table[:20, 2]
        assert len(two_parts(table, gaps)) == 20

    def test_noise_has_no_twins(self, rng):
        assert not pairs_of(rng.normal(size=(3000, 10)).astype("f"))
        assert not pairs_of(rng.normal(size=(3000, 200)).astype("f"), picture=True)

    @pytest.mark.parametrize("shape", [(1, 5), (2, 5), (3, 1), (3, 100)])
    def test_constant_and_tiny_tables(self, shape):
        assert pairs_of(np.ones(shape, "f")) == pairs_of(np.ones(shape, "f"), True) == set()

    def test_fifty_thousand_pictures_take_seconds(self, rng):
        x = rng.integers(0, 255, (50_000, 784), dtype=np.uint8)
        x[-5:] = x[:5] // 2
        best = np.inf
        for _ in range(2):  # others work here too
            began = time.process_time()
            found = pairs_of(x)
            best = min(best, time.process_time() - began)
        assert found == {(i, 49_995 + i) for i in range(5)}
        assert best < 6  # of the processor, over both cores

    def test_chains_are_joined(self):
        found = joined(np.array([[0, 3], [3, 4], [1, 2]]), 6)
        assert found[0] == found[3] == found[4] and found[1] == found[2]
        assert len(set(found.tolist())) == 3 and set(found.tolist()) == set(range(3))


class TestTexts:
    @pytest.fixture
    def texts(self, rng):
        return [" ".join(rng.choice(WORDS, 40)) for _ in range(400)]

    def test_two_words_changed(self, texts):
        changed = [text.replace(text.split()[3], "other", 1).upper() + "!" for text in texts[:50]]
        found = set(map(tuple, alike_texts(texts + changed).tolist()))
        assert found == {(i, 400 + i) for i in range(50)}

    def test_half_of_the_words_changed(self, texts, rng):
        halves = [" ".join([*text.split()[:20], *rng.choice(WORDS, 20)]) for text in texts[:50]]
        assert not len(alike_texts(texts + halves))

    def test_odd_ones(self):
        assert alike_texts(["", "a", "a!", "\ud800b", "ß" * 50]).tolist() == [[1, 2]]

    def test_leaks_among_texts(self, texts):
        held = [texts[3], texts[7] + " more", "something else " * 4]
        leaks = two_parts(np.array(texts, object), held)
        assert leaks.rows.tolist() == [400, 401] and leaks.twins.tolist() == [3, 7]
        assert leaks.equal.tolist() == [True, False]

    def test_categories_are_compared_letter_by_letter(self, rng):
        x = rng.normal(size=(60, 4))
        frame = lambda city: pd.DataFrame(x, columns=list("abcd")).assign(city=city)  # noqa: E731
        assert two_parts(frame("bonn"), frame("bonn ")).ok
        assert len(two_parts(frame("bonn"), frame("bonn"))) == 60


class TestReport:
    def test_it_names_rows_and_the_remedy(self, rng):
        x = rng.normal(size=(200, 5))
        x[150:160] = x[:10]
        x[160:170] = x[10:20] * (1 + 1e-5)
        parts = data.split(x, seed=3)
        place = np.empty(200, int)
        for number, part in enumerate(parts):
            place[part.rows] = number
        twins = np.arange(150, 170), np.arange(20)
        leaking = place[twins[0]] != place[twins[1]]
        assert len(parts.leaks) == leaking.sum() and not parts.leaks.ok
        assert parts.leaks.equal.sum() == leaking[:10].sum()
        for row, twin in zip(parts.leaks.rows, parts.leaks.twins):
            assert abs(row - twin) == 150 and place[twin] < place[row]
            assert parts.leaks.parts[parts.leaks.rows == row] == parts._fields[place[row]]
        text = str(parts)
        assert "train 140 rows (70.0 %)" in text and "keep_together=True" in text
        first = parts.leaks.rows[0]
        assert f"row {first} " in text and f"{len(parts.leaks)} of 60 held-out rows" in text

    def test_none(self, rng):
        assert "none of 60 held-out rows" in str(data.split(rng.normal(size=(200, 5))))

    def test_few_columns_are_alike_by_chance(self, rng):
        x = rng.normal(size=(3000, 2))
        assert data.split(x).leaks.ok
        x[2000:2100] = x[:100]
        assert 0 < len(data.split(x).leaks) <= 100  # equal rows are told all the same

    def test_two_inputs_must_both_be_alike(self, rng):
        one, other = rng.normal(size=(100, 9, 9)), rng.normal(size=(100, 4))
        x = {"a": np.concatenate([one, one * 1.1]), "b": np.concatenate([other, other[::-1]])}
        assert data.split(x).leaks.ok
        x["b"][100:] = other
        assert not data.split(x).leaks.ok

    def test_real_digits(self):
        """Two of 1,797 are nearly equal to others at most: the search raises no false alarms."""
        parts = data.split(*real.load_digits(return_X_y=True))
        assert len(parts.leaks) <= 2


class TestKeepTogether:
    @pytest.mark.parametrize("seed", range(3))
    def test_twins_stay_in_one_part(self, rng, seed):
        x, y = rng.normal(size=(300, 6)).astype("f"), np.arange(300) % 2
        x[200:250] = x[:50]
        x[250:] = x[50:100] + 1e-5
        assert not data.split(x, y, seed=seed).leaks.ok
        parts = data.split(x, y, keep_together=True, seed=seed)
        assert parts.leaks.ok
        assert [len(part.rows) for part in parts] == [210, 45, 45]
        for part in parts:
            assert part.y.mean() == pytest.approx(0.5, abs=0.05)

    def test_with_groups_as_well(self, rng):
        x = rng.normal(size=(90, 5))
        x[60:] = x[:30]  # ties group i to group i + 20
        groups = np.arange(90) // 3
        parts = data.split(x, groups=groups, keep_together=True, validation=0.3, test=0.3)
        where = {int(row): place for place, part in enumerate(parts) for row in part.rows}
        for row in range(30):
            assert where[row] == where[row + 60]
        for group in range(30):
            assert len({where[row] for row in range(3 * group, 3 * group + 3)}) == 1

    def test_kinds_are_numbered_without_a_gap(self, rng):
        x = rng.normal(size=(50, 4))
        x[40:] = x[:10]
        found = kinds(x)
        assert set(found.tolist()) == set(range(40)) and (found[40:] == found[:10]).all()

    def test_not_by_time(self):
        with pytest.raises(ValueError, match="keep_together contradict"):
            data.split(np.zeros((9, 1)), time=np.arange(9), keep_together=True)
