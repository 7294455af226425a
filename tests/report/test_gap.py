"""The generalization gap: its sign, its interval's coverage, and how the page shows it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from report_runs import classification, regression

from slipstream import data, layers
from slipstream.models import Sequential
from slipstream.report import Part, figures, gaps, generalization_gap, render
from slipstream.report.gap import skewed_interval


def classes(hits, rows, sure=0.9):
    """A part in which so many rows are named correctly."""
    truth = np.zeros(rows, int)
    right = np.arange(rows) < hits
    return Part(
        truth, np.stack([np.where(right, sure, 1 - sure), np.where(right, 1 - sure, sure)], 1)
    )


def losses(numbers, rows):
    """Cross-entropies of a good classifier: skewed, with a few large ones."""
    wrong = numbers.random(rows) < 0.05
    return -np.log(np.where(wrong, numbers.beta(1, 4, rows), numbers.beta(20, 1, rows)))


DRAWS = {
    "normal": lambda numbers, rows: numbers.normal(1, 1, rows),
    "exponential": lambda numbers, rows: numbers.exponential(1, rows),
    "squares": lambda numbers, rows: numbers.normal(size=rows) ** 2,
    "cross-entropy": losses,
}


@pytest.mark.parametrize("rows", [100, 400])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_interval_of_a_skewed_mean_covers_it_19_times_in_20(draw, rows):
    numbers = np.random.default_rng(0)
    mean = draw(numbers, 2_000_000).mean() if draw is losses else 1.0
    found = [skewed_interval(draw(numbers, rows)) for _ in range(2000)]
    covered = np.mean([low <= mean <= high for low, high in found])
    assert 0.93 < covered < 0.98


def test_where_the_usual_interval_fails_hall_does_not():
    numbers, mean = np.random.default_rng(1), losses(np.random.default_rng(0), 2_000_000).mean()
    usual = hall = 0
    for _ in range(1000):
        drawn = losses(numbers, 100)
        half = 1.96 * drawn.std(ddof=1) / 10
        usual += abs(drawn.mean() - mean) <= half
        low, high = skewed_interval(drawn)
        hall += low <= mean <= high
    assert usual < 900 < 940 < hall


def test_the_gap_to_the_whole_population_is_covered():
    """A fixed model that knows its training rows by heart; its true risk is known."""
    numbers, covered = np.random.default_rng(0), {"accuracy": 0, "loss": 0}
    training = classes(100, 100, 0.95)
    right = -np.log(0.7)
    risk = {"accuracy": 0.8, "loss": 0.8 * right - 0.2 * np.log(0.3)}
    for _ in range(1000):
        for gap in gaps(training, classes(numbers.binomial(150, 0.8), 150, 0.7)):
            sign = -1 if gap.name == "accuracy" else 1
            covered[gap.name] += gap.low <= sign * (risk[gap.name] - gap.training) <= gap.high
    assert all(930 <= count <= 970 for count in covered.values()), covered


@pytest.mark.parametrize("name", ["r2", "mae"])
def test_gaps_of_values_are_covered(name):
    numbers, covered = np.random.default_rng(0), 0
    truth = numbers.normal(0, 2, 100)
    training = Part(truth, truth + 0.1)
    wanted = {"r2": 1 - 1 / 4, "mae": np.sqrt(2 / np.pi)}[name]
    for _ in range(1000):
        truth = numbers.normal(0, 2, 200)
        held = Part(truth, truth + numbers.normal(0, 1, 200))
        gap = next(each for each in gaps(training, held) if each.name == name)
        sign = -1 if name == "r2" else 1
        covered += gap.low <= sign * (wanted - gap.training) <= gap.high
    assert 925 <= covered <= 972


def test_signs_and_verdicts():
    accuracy, loss = gaps(classes(100, 100), classes(70, 100))
    assert accuracy.value == pytest.approx(0.3) and loss.value > 0
    assert accuracy.low < 0.3 < accuracy.high and accuracy.verdict == loss.verdict == "overfitted"
    assert "95 % interval" in str(accuracy) and "rough" not in str(accuracy)
    same = gaps(classes(80, 100), classes(79, 100))
    assert [gap.verdict for gap in same] == ["no gap to be told from chance"] * 2
    other = gaps(classes(50, 100), classes(90, 100))
    assert [gap.verdict for gap in other] == ["better on held out rows"] * 2
    few = gaps(classes(10, 10), classes(1, 1))
    assert few[0].low is None and few[0].verdict == "too few rows to tell"
    assert "rough" in str(gaps(classes(10, 10), classes(9, 10))[0])


def test_constant_values_have_an_interval_of_no_width():
    assert skewed_interval(np.full(9, 2.5)) == (2.5, 2.5)
    assert skewed_interval(np.zeros(9)) == (0, 0)
    assert skewed_interval(np.ones(1)) is None
    constant = Part(np.ones(5), np.zeros(5))
    assert next(g for g in gaps(constant, constant) if g.name == "r2").low is None


@pytest.mark.parametrize("make", [classification, regression])
def test_figures_and_page_show_it(make):
    run = make()
    found = json.loads(json.dumps(figures(run)))["gaps"]
    first = found["test"][0]
    assert first["value"] == pytest.approx(figures(run)["gap"])
    assert first["low"] < first["value"] < first["high"]
    page = render(run)
    assert "Gap in" in page and first["verdict"] in page and "With only 30 rows" in page
    factor, digits = (100, 1) if run.classes else (1, 3)
    low, high = (f"{factor * first[end]:.{digits}f}" for end in ("low", "high"))
    assert f"95 % interval {low} to {high}" in page


def test_the_page_shows_what_a_check_of_the_data_found():
    x = np.random.default_rng(0).normal(size=(50, 3))
    assert "Data check" not in render(classification())
    assert "nothing was found" in render(classification(quality=data.check(x)))
    x[:, 1] = 1
    x[0, 0] = np.nan
    page = render(classification(quality=data.check(x, names=["<a>", "b", "c"])))
    assert "1 value is missing: &lt;a&gt; (1)." in page and "Leave out what never changes" in page


class TestOfAModel:
    def model(self, width, activation):
        model = Sequential([layers.Input((2,)), layers.Dense(width, activation)])
        model.compile("sgd", "mse")
        return model

    def test_classes_however_they_are_given(self, rng):
        x, y = rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
        model = self.model(2, "softmax")
        wanted = generalization_gap(model, (x[:20], y[:20]), (x[20:], y[20:]))
        hot = np.eye(2)[y]
        assert generalization_gap(model, (x[:20], hot[:20]), (x[20:], hot[20:])) == wanted
        assert [gap.name for gap in wanted] == ["accuracy", "loss"]
        said = model.predict(x, verbose=0).argmax(1) == y
        assert wanted[0].value == pytest.approx(said[:20].mean() - said[20:].mean())

    def test_one_probability_and_values(self, rng):
        x = rng.normal(size=(40, 2))
        y = (x[:, :1] > 0).astype(int)
        halves = (x[:20], y[:20]), (x[20:], y[20:])
        binary = generalization_gap(self.model(1, "sigmoid"), *halves)
        assert [gap.name for gap in binary] == ["accuracy", "loss"]
        values = generalization_gap(self.model(1, None), (x, x[:, 0]), (x, x[:, 0]))
        assert [gap.name for gap in values] == ["r2", "mae"] and values[0].value == 0

    def test_what_is_no_probability(self, rng):
        x = rng.normal(size=(40, 2))
        with pytest.raises(ValueError, match="softmax"):
            generalization_gap(self.model(3, None), (x, np.zeros(40)), (x, np.zeros(40)))
        with pytest.raises(ValueError, match="one output"):
            generalization_gap(self.model(1, None), (x, np.zeros(39)), (x, np.zeros(40)))
