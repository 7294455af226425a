"""Forms that are raced: what the answer depends on, where it is kept, and who goes by it."""

import json

import jax
import numpy as np
import pytest

from slipstream import layers
from slipstream.kernels import dense, native, race
from slipstream.models import Sequential
from tests.kernels.native_cases import needs_native

ARRAYS = [jax.ShapeDtypeStruct((4, 3), "float32")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    monkeypatch.delenv("SLIPSTREAM_RACES", raising=False)
    monkeypatch.setattr(race, "_known", {})
    return tmp_path


def answers(folder):
    return [json.loads(path.read_text()) for path in (folder / "forms").glob("*.json")]


def ask(rule, name="op", **parameters):
    def form(x):
        return x

    return race.compiled_wins(name, ARRAYS, parameters, form, form, rule)


def timed(monkeypatch, reference, compiled):
    monkeypatch.setattr(race, "_race", lambda forms, arrays: [reference, compiled])


@pytest.mark.parametrize(
    ("reference", "compiled", "rule", "wins"),
    [
        (1.0, 0.5, False, True),
        (1.0, 0.95, False, False),
        (0.5, 1.0, True, False),
        (0.95, 1.0, True, True),
    ],
)
def test_a_rule_is_overruled_by_a_clear_win_alone(monkeypatch, reference, compiled, rule, wins):
    timed(monkeypatch, reference, compiled)
    with race.held(race.RACE_SECONDS):
        assert ask(rule) == wins


def test_short_runs_race_nothing_but_go_by_what_is_known(monkeypatch, own_cache):
    timed(monkeypatch, 1.0, 0.1)
    with race.held(race.RACE_SECONDS / 2):
        assert not ask(rule=False)
    assert not answers(own_cache)
    with race.held(race.RACE_SECONDS):
        assert ask(rule=False)
    assert ask(rule=False)
    assert not ask(rule=False, name="other") and not ask(rule=False, width=3)


def test_answers_are_kept_for_the_next_process(monkeypatch, own_cache):
    timed(monkeypatch, 1.0, 0.1)
    with race.held(race.RACE_SECONDS):
        ask(rule=False)
    assert answers(own_cache) == [{"op float32[4, 3]": True}]
    race._known.clear()  # as another process has it
    timed(monkeypatch, 0.1, 1.0)
    with race.held(race.RACE_SECONDS):
        assert ask(rule=False)
        ask(rule=True, name="other")
    assert answers(own_cache) == [{"op float32[4, 3]": True, "other float32[4, 3]": False}]


def test_the_first_of_two_processes_is_right(monkeypatch, own_cache):
    timed(monkeypatch, 1.0, 0.1)
    with race.held(race.RACE_SECONDS):
        ask(rule=False, name="another")
        (path,) = (own_cache / "forms").glob("*.json")
        path.write_text(json.dumps({"op float32[4, 3]": False}))
        assert not ask(rule=False)


def test_a_damaged_file_holds_no_answer(monkeypatch, own_cache):
    timed(monkeypatch, 1.0, 0.1)
    with race.held(race.RACE_SECONDS):
        ask(rule=False)
    (path,) = (own_cache / "forms").glob("*.json")
    for content in ("", "[1", "[]", '{"op float32[4, 3]": "yes"}'):
        path.write_text(content)
        race._known.clear()
        assert not ask(rule=False)


@pytest.mark.parametrize(("name", "value"), [("CACHE", "off"), ("RACES", "off")])
def test_without_a_cache_or_races_the_rule_decides(monkeypatch, own_cache, name, value):
    monkeypatch.setenv(f"SLIPSTREAM_{name}", value)
    timed(monkeypatch, 1.0, 0.1)
    with race.held(race.RACE_SECONDS):
        assert not ask(rule=False) and ask(rule=True)
    assert not answers(own_cache)


def test_operands_that_take_much_memory_are_not_made(monkeypatch, own_cache):
    timed(monkeypatch, 1.0, 0.1)
    monkeypatch.setattr(race, "_MOST", 11)
    with race.held(race.RACE_SECONDS):
        assert not ask(rule=False)
    assert not answers(own_cache)


def test_the_slower_form_loses():
    """Truly raced: one form does a hundred times the work of the other."""
    arrays = [jax.ShapeDtypeStruct((200, 200), "float32")]

    def little(x):
        return x @ x

    def much(x):
        return jax.lax.fori_loop(0, 100, lambda _, y: y @ x * 0.01, x)

    with race.held(race.RACE_SECONDS):
        assert not race.compiled_wins("a", arrays, {}, little, much, rule=True)
        assert race.compiled_wins("b", arrays, {}, much, little, rule=False)


@needs_native
def test_a_long_fit_races_its_products_and_learns_the_same(monkeypatch, own_cache, rng):
    monkeypatch.setattr(dense, "_LONG", 2**10)
    monkeypatch.setattr(race, "RACE_SECONDS", 0.0)
    x, y = rng.normal(size=(64, 20)).astype("f"), rng.normal(size=(64, 3)).astype("f")

    def trained():
        model = Sequential([layers.Input((20,)), layers.Dense(16, "elu"), layers.Dense(3)])
        model.set_weights([np.full(w.shape, 0.01 * (1 + i)) for i, w in enumerate(model.weights)])
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0)
        return model.get_weights()

    # The other form wins each race, whatever the rule says.
    monkeypatch.setattr(race, "MARGIN", 1e9)
    turned = trained()
    (kept,) = answers(own_cache)
    assert {key.split()[0] for key in kept} >= {"finished_product", "weight_gradient"}
    with native.kernels("reference"):
        plain = trained()
    for one, other in zip(turned, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
