"""Draws depend on (seed, step, layer) and on nothing else, and look random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.core.random import draw_seed, host_generator, key_from, layer_key, set_random_seed
from slipstream.core.scope import Scope

BITS = 1 << 16


def test_bits_are_balanced_and_uncorrelated_between_positions():
    for seed in range(4):
        bits = np.asarray(jax.random.bits(key_from(seed), (BITS,), "uint32"))
        planes = (bits[:, None] >> np.arange(32, dtype=np.uint32)) & 1
        # Five standard errors of a fair coin.
        assert np.abs(planes.mean(0) - 0.5).max() < 5 * 0.5 / BITS**0.5
        signs = planes * 2.0 - 1
        between = np.corrcoef(signs.T) - np.eye(32)
        assert np.abs(between).max() < 5 / BITS**0.5
        for lag in (1, 2, 64):
            follow = (signs[:-lag] * signs[lag:]).mean(0)
            assert np.abs(follow).max() < 5 / (BITS - lag) ** 0.5


def test_uniform_fills_its_range_evenly():
    values = np.asarray(jax.random.uniform(key_from(3), (100_000,)))
    counts, _ = np.histogram(values, 100, (0, 1))
    chi_square = ((counts - 1000) ** 2 / 1000).sum()
    assert 50 < chi_square < 160  # 99 degrees of freedom


def test_folded_and_split_keys_give_unrelated_streams():
    key = key_from(0)
    keys = [key, *(jax.random.fold_in(key, i) for i in range(40)), *jax.random.split(key, 40)]
    streams = np.stack([np.asarray(jax.random.uniform(k, (4096,))) for k in keys])
    between = np.corrcoef(streams) - np.eye(len(keys))
    assert np.abs(between).max() < 5.5 / 4096**0.5


def test_nearby_seeds_and_steps_do_not_shift_one_stream_into_another():
    streams = {
        (seed, step): np.asarray(
            jax.random.bits(jax.random.fold_in(key_from(seed), step), (512,), "uint32")
        )
        for seed in range(4)
        for step in range(4)
    }
    everything = np.concatenate(list(streams.values()))
    assert len(np.unique(everything)) > len(everything) - 4


def test_same_values_in_a_program_and_outside():
    draw = lambda key: jax.random.normal(jax.random.fold_in(key, 7), (5, 3))  # noqa: E731
    np.testing.assert_allclose(jax.jit(draw)(key_from(1)), draw(key_from(1)), rtol=1e-6)


def test_layer_key_differs_by_layer_and_draw_and_repeats_with_the_scope():
    layers = [object(), object()]

    def draws():
        scope = Scope(key=key_from(5), ordinals={id(layers[0]): 1, id(layers[1]): 2})
        with scope.active():
            keys = [layer_key(layers[0]), layer_key(layers[0]), layer_key(layers[1])]
        return [tuple(jax.random.key_data(key).tolist()) for key in keys]

    first = draws()
    assert len(set(first)) == 3
    assert draws() == first


def test_set_random_seed_fixes_host_draws():
    set_random_seed(11)
    first = (draw_seed(), host_generator().random())
    set_random_seed(11)
    assert (draw_seed(), host_generator().random()) == first


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match="whole number"):
        set_random_seed(seed)


def test_wide_bits_and_narrow_bits():
    assert jax.random.bits(key_from(0), (4,), "uint8").dtype == jnp.uint8
    assert jax.random.bits(key_from(0), (4,), "uint16").dtype == jnp.uint16
