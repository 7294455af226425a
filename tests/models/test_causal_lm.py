"""Generation, and the language model that comes with it."""

import numpy as np
import pytest

from slipstream import layers, losses
from slipstream.core.random import set_random_seed
from slipstream.models import Sequential, load_model
from slipstream.models.causal_lm import CausalLM
from slipstream.models.generation import generate

VOCABULARY = 11


class Recomputing:
    """A model's predictions without its caches."""

    name, built = "recomputing", True

    def __init__(self, model):
        self.model, self.variables = model, model.variables

    def __call__(self, tokens):
        return self.model(tokens)


@pytest.fixture(scope="module")
def model():
    set_random_seed(3)
    model = CausalLM(VOCABULARY, 2, 2, 8, 16, 20, dropout=0.3)
    numbers = np.random.default_rng(0)
    model.set_weights([numbers.normal(size=w.shape) * 0.7 for w in model.weights])
    return model


def bigrams(table):
    """A model that looks at the last token only: its logits are the rows of a table."""
    table = np.asarray(table, "f")
    return Sequential([layers.Embedding(*table.shape, weights=[table])])


PROMPTS = [[1, 2, 3, 4, 5], [7], [9, 9, 1]]


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        (PROMPTS, {}),
        (np.array(PROMPTS[1]), {}),
        (PROMPTS, {"temperature": 1.5, "top_k": 5, "seed": 4}),
        (PROMPTS[0], {"temperature": 1.0, "top_p": 0.8, "seed": 5}),
    ],
)
def test_cached_and_recomputed_tokens_agree(model, prompt, options):
    cached = model.generate(prompt, 14, **options)
    np.testing.assert_array_equal(cached, generate(Recomputing(model), prompt, 14, **options))
    rows = prompt if np.ndim(prompt[0]) else [prompt]
    for row, given in zip(cached.reshape(len(rows), 14), rows):
        np.testing.assert_array_equal(row[: len(given)], given)


def test_greedy_tokens_are_the_likeliest_ones(model):
    written = model.generate(PROMPTS, 14)
    logits = np.asarray(model(written))
    for row, prompt, predicted in zip(written, PROMPTS, logits.argmax(-1)):
        start = len(prompt)
        np.testing.assert_array_equal(row[start:], predicted[start - 1 : -1])
    assert len({tuple(row[-5:]) for row in written}) > 1  # rows differ, so the test has teeth


def test_a_row_does_not_depend_on_its_neighbours(model):
    alone = [model.generate(prompt, 14) for prompt in PROMPTS]
    np.testing.assert_array_equal(model.generate(PROMPTS, 14), alone)


def test_places_do_not_see_later_tokens(model):
    tokens = np.arange(12)[None] % VOCABULARY
    changed = np.where(np.arange(12) < 6, tokens, 3)
    np.testing.assert_allclose(model(tokens)[:, :6], model(changed)[:, :6], rtol=1e-4, atol=1e-4)


def test_few_programs_serve_many_prompts():
    fresh = CausalLM(VOCABULARY, 1, 1, 4, 4, 16)
    for length in (5, 6, 7, 8):
        fresh.generate(np.ones((2, length), int), 12)
        fresh.generate(np.ones((2, length), int), 12, stop_token=None)
    plain = bigrams(np.eye(3))
    for length in (1, 2, 5, 9):
        generate(plain, np.zeros((2, length), int), 12)
    for one in (fresh, plain):
        (program,) = one._generators.values()
        assert program._cache_size() == 1


def test_any_model_of_tokens_writes_on():
    succession = np.eye(VOCABULARY)[(np.arange(VOCABULARY) + 1) % VOCABULARY]
    expected = np.array([[3, 4, 5, 6, 7, 8], [9, 10, 0, 1, 2, 3]])
    np.testing.assert_array_equal(generate(bigrams(succession), [[3], [9, 10]], 6), expected)
    fixed = Sequential(
        [layers.Input((9,), dtype="int32"), layers.Embedding(11, 11, weights=[succession])]
    )
    np.testing.assert_array_equal(generate(fixed, [[3], [9, 10]], 6), expected)
    with pytest.raises(ValueError, match="takes 9 tokens; max_length 12"):
        generate(fixed, [3], 12)


def test_a_stop_token_ends_a_row_and_fills_it():
    succession = np.eye(VOCABULARY)[(np.arange(VOCABULARY) + 1) % VOCABULARY]
    written = generate(bigrams(succession), [[3, 5], [5, 1]], 9, stop_token=5)
    np.testing.assert_array_equal(
        written, [[3, 5, 6, 7, 8, 9, 10, 0, 1], [5, 1, 2, 3, 4] + [5] * 4]
    )
    written = generate(bigrams(succession), [[3], [4]], 9, stop_token=5)
    np.testing.assert_array_equal(written, [[3, 4] + [5] * 7, [4] + [5] * 8])


LOGITS = np.log([0.5, 0.3, 0.15, 0.05])


def shares(**options):
    """How often each token is drawn from `LOGITS`."""
    table = np.broadcast_to(LOGITS, (4, 4))
    written = generate(bigrams(table), np.zeros((2000, 1), int), 6, seed=1, **options)
    return np.bincount(written[:, 1:].ravel(), minlength=4) / 10000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 1.0}, [0.5, 0.3, 0.15, 0.05]),
        ({"temperature": 0.5}, np.array([0.25, 0.09, 0.0225, 0.0025]) / 0.365),
        ({"temperature": 1.0, "top_k": 2}, [0.625, 0.375, 0, 0]),
        ({"temperature": 1.0, "top_k": 9}, [0.5, 0.3, 0.15, 0.05]),
        ({"temperature": 1.0, "top_p": 0.79}, [0.625, 0.375, 0, 0]),
        ({"temperature": 1.0, "top_p": 0.01}, [1, 0, 0, 0]),
        ({"temperature": 1.0, "top_k": 3, "top_p": 0.5}, [1, 0, 0, 0]),
        ({}, [1, 0, 0, 0]),
    ],
)
def test_tokens_are_drawn_with_their_probabilities(options, expected):
    found = shares(**options)
    np.testing.assert_allclose(found, expected, atol=0.02)
    np.testing.assert_array_equal(found[np.asarray(expected) == 0], 0)


def test_a_sampler_of_ones_own(model):
    def least(logits, key):
        return logits.argmin(-1)

    written = model.generate([1, 2], 10, sampler=least)
    predicted = np.asarray(model(written[None]))[0].argmin(-1)
    np.testing.assert_array_equal(written[2:], predicted[1:-1])


def test_seeds_repeat_and_differ(model):
    first, same, other = (
        model.generate([1, 2], 20, temperature=3.0, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_new_weights_count_at_once(model):
    kept = model.get_weights()
    before = model.generate([1, 2], 20)
    model.set_weights([-weight for weight in kept])
    assert (model.generate([1, 2], 20) != before).any()
    model.set_weights(kept)
    np.testing.assert_array_equal(model.generate([1, 2], 20), before)


@pytest.mark.parametrize("policy", ["mixed_bfloat16"])
def test_logits_are_float32_and_near_in_low_precision(model, policy):
    low = CausalLM(VOCABULARY, 2, 2, 8, 16, 20, dtype=policy)
    low.set_weights(model.get_weights())
    tokens = np.arange(20)[None] % VOCABULARY
    high, logits = np.asarray(model(tokens)), np.asarray(low(tokens))
    assert logits.dtype == np.float32
    assert np.abs(logits - high).max() < 0.1 * np.abs(high).max()
    assert low.generate([1, 2], 20).shape == (20,)


def test_configuration_and_file_give_the_model_back(model, tmp_path):
    again = CausalLM.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = load_model(path)
    assert type(loaded) is CausalLM
    np.testing.assert_array_equal(loaded(np.ones((1, 4), int)), model(np.ones((1, 4), int)))
    np.testing.assert_array_equal(loaded.generate([1, 2], 20), model.generate([1, 2], 20))


def test_it_learns_to_count():
    set_random_seed(0)
    model = CausalLM(VOCABULARY, 1, 2, 16, 32, 12)
    starts = np.random.default_rng(0).integers(0, VOCABULARY, (200, 1))
    tokens = (starts + np.arange(12)) % VOCABULARY
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.learning_rate = 0.01
    history = model.fit(tokens[:, :-1], tokens[:, 1:], epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.3 < history[0]
    np.testing.assert_array_equal(model.generate([5, 6], 10), (5 + np.arange(10)) % VOCABULARY)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate([], 5), "at least one token"),
        (lambda m: m.generate([[[1]]], 5), r"got shapes \[\(1, 1\)\]"),
        (lambda m: m.generate([1, 2, 3], 3), "leaves nothing to write"),
        (lambda m: m.generate([1], 21), "has 20 places"),
        (lambda m: m.generate([1], 5, temperature=-1), "at least 0; got -1"),
        (lambda m: m.generate([1], 5, temperature=1.0, top_k=0), "top_k must be"),
        (lambda m: m.generate([1], 5, temperature=1.0, top_p=1.5), "top_p must be"),
        (lambda m: m.generate([1], 5, top_k=3), "temperature 0 takes the likeliest"),
        (lambda m: m.generate([1], 5, stop_token=-1), "stop_token must be"),
        (lambda m: CausalLM(5, 0, 1, 4, 4, 4), "num_layers must be"),
        (lambda m: CausalLM(5, 1, 3, 4, 4, 4), "num_heads must divide"),
    ],
)
def test_bad_input(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)
