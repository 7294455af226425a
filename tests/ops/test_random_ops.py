"""Random arrays: their distributions, and which draws are the same and which are not."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from slipstream import ops, random
from slipstream.core.random import key_from
from slipstream.core.scope import Scope

N = (40_000,)


def moments(draws):
    draws = np.asarray(draws, "f8")
    return draws.mean(), draws.std()


@pytest.mark.parametrize(
    ("draw", "mean", "deviation", "least", "largest"),
    [
        (lambda: random.uniform(N, -1, 3, seed=1), 1, 4 / 12**0.5, -1, 3),
        (lambda: random.normal(N, 2, 3, seed=2), 2, 3, -np.inf, np.inf),
        (lambda: random.truncated_normal(N, 1, 2, seed=3), 1, 2 * 0.8796, -3, 5),
        (lambda: random.randint(N, 2, 7, seed=4), 4, 2**0.5, 2, 6),
        (lambda: random.gamma(N, 3.0, seed=5), 3, 3**0.5, 0, np.inf),
        (lambda: random.beta(N, 2.0, 3.0, seed=6), 0.4, 0.2, 0, 1),
        (lambda: random.binomial(N, 10, 0.3, seed=7), 3, 2.1**0.5, 0, 10),
    ],
    ids=["uniform", "normal", "truncated", "randint", "gamma", "beta", "binomial"],
)
def test_distributions(draw, mean, deviation, least, largest):
    draws = draw()
    seen = moments(draws)
    assert abs(seen[0] - mean) < 5 * deviation / N[0] ** 0.5
    assert abs(seen[1] - deviation) < 0.03 * deviation
    assert draws.min() >= least and draws.max() <= largest


def test_types_and_what_is_refused():
    assert random.normal((2,), dtype="float16").dtype == "float16"
    assert random.uniform((2,)).dtype == "float32"
    assert random.randint((2,), 0, 5, dtype="uint8").dtype == "uint8"
    for call in (
        lambda: random.normal((2,), dtype="int32"),
        lambda: random.randint((2,), 0, 5, dtype="float32"),
        lambda: random.categorical(np.ones(3), 2),
        lambda: random.uniform((2,), seed="one"),
        lambda: random.SeedGenerator(-1),
    ):
        with pytest.raises(ValueError, match="got"):
            call()


def test_categories_come_with_their_probabilities():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], "f")
    draws = random.categorical(np.log(p + 1e-30), 20_000, seed=1)
    assert draws.shape == (2, 20_000) and draws.dtype == "int32"
    seen = [np.bincount(row, minlength=3) / 20_000 for row in np.asarray(draws)]
    np.testing.assert_allclose(seen, p, atol=0.015)


def test_dropout_keeps_the_expected_share_and_sum():
    x = np.ones((100, 400), "f")
    kept = np.asarray(random.dropout(x, 0.3, seed=1))
    assert abs((kept > 0).mean() - 0.7) < 0.02
    np.testing.assert_allclose(kept[kept > 0], 1 / 0.7, rtol=1e-6)
    rows = np.asarray(random.dropout(x, 0.5, noise_shape=(None, 1), seed=1))
    assert set(rows.sum(1).tolist()) == {0.0, 800.0}
    assert not random.dropout(x, 1.0).any()


def test_shuffle_keeps_rows_whole():
    x = np.arange(60).reshape(20, 3)
    mixed = np.asarray(random.shuffle(x, seed=1))
    assert not np.array_equal(mixed, x)
    np.testing.assert_array_equal(mixed[np.argsort(mixed[:, 0])], x)
    columns = np.asarray(random.shuffle(x, axis=1, seed=1))
    np.testing.assert_array_equal(np.sort(columns, 1), x)


def test_a_number_draws_the_same_and_a_generator_draws_on():
    same = [random.normal((5,), seed=3) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    generator, again = random.SeedGenerator(3), random.SeedGenerator(3)
    drawn = [random.normal((5,), seed=generator) for _ in range(3)]
    repeated = [random.normal((5,), seed=again) for _ in range(3)]
    np.testing.assert_array_equal(drawn, repeated)
    assert len({float(d[0]) for d in drawn}) == 3
    assert generator.state.tolist() == [3, 3] and generator.state.dtype == "uint32"
    copy = random.SeedGenerator.from_config(generator.get_config())
    np.testing.assert_array_equal(random.normal((5,), seed=copy), drawn[0])
    assert generator.next().shape == (2,)
    assert not np.array_equal(generator.next(), generator.next())


def test_no_seed_follows_the_process():
    random.set_random_seed(5)
    first = [random.normal((3,)) for _ in range(2)]
    random.set_random_seed(5)
    np.testing.assert_array_equal([random.normal((3,)) for _ in range(2)], first)
    assert not np.array_equal(*first)


def test_a_new_process_draws_the_same():
    program = (
        "from slipstream import random\n"
        "g = random.SeedGenerator(11)\n"
        "random.uniform((2,), seed=g)\n"
        "print(*random.uniform((3,), seed=g).tolist())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    generator = random.SeedGenerator(11)
    random.uniform((2,), seed=generator)
    here = random.uniform((3,), seed=generator).tolist()
    assert [float(v) for v in other.stdout.split()] == here


class TestInsideAProgram:
    def step(self, key, generators, draws=2):
        with Scope(key=key).active():
            return [
                random.normal((4,), seed=generator)
                for _ in range(draws)
                for generator in generators
            ]

    def test_draws_follow_from_the_key_and_the_seed(self):
        program = jax.jit(lambda s: self.step(key_from(s), generators))
        generators = [random.SeedGenerator(1), random.SeedGenerator(2), None]
        first, again, next_step = program(0), program(0), program(1)
        np.testing.assert_array_equal(first, again)
        drawn = np.concatenate([np.asarray(first), np.asarray(next_step)])
        assert len(np.unique(drawn[:, 0])) == len(drawn) == 12
        assert [g.state[1] for g in generators[:2]] == [0, 0]

    def test_a_number_draws_the_same_in_every_step(self):
        program = jax.jit(lambda s: self.step(key_from(s), [7], draws=1)[0])
        np.testing.assert_array_equal(program(0), program(1))
        np.testing.assert_allclose(program(0), random.normal((4,), seed=7), rtol=1e-5)

    def test_generators_and_layers_draw_apart(self):
        from slipstream.core.random import layer_key

        with Scope(key=key_from(0)).active():
            own = jax.random.normal(layer_key(self, 1), (4,))
            generated = random.normal((4,), seed=random.SeedGenerator(1))
            given = jax.random.normal(layer_key(self, random.SeedGenerator(2)), (4,))
        assert len({float(v[0]) for v in (own, generated, given)}) == 3


def test_elastic_transforms_follow_the_seed():
    image = np.random.default_rng(0).uniform(size=(9, 9, 1)).astype("f")
    one, two = (ops.image.elastic_transform(image, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one, two)
