"""Lookups of integers that lie close together or far apart, and hashes that are remembered."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream import layers
from slipstream.layers.preprocessing import hashing
from slipstream.layers.preprocessing.fingerprint import fingerprint64

CLOSE, FAR = st.integers(-40, 40), st.integers(-(2**31), 2**31 - 1)


@settings(deadline=None, max_examples=60)
@given(
    known=st.one_of(
        st.lists(CLOSE, min_size=1, max_size=30, unique=True),
        st.lists(FAR, min_size=1, max_size=30, unique=True),
    ),
    tokens=st.lists(st.one_of(CLOSE, FAR), min_size=1, max_size=40),
    unknown=st.integers(1, 3),
    mask=st.one_of(st.none(), CLOSE),
)
def test_numbers_are_places_in_the_vocabulary(known, tokens, unknown, mask):
    known = [value for value in known if value not in (mask, -1)] or [41]
    tokens = np.array([*tokens, known[0], known[-1]], np.int32)
    layer = layers.IntegerLookup(vocabulary=known, num_oov_indices=unknown, mask_token=mask)
    first = 0 if mask is None else 1
    wanted = [
        0
        if token == mask
        else known.index(token) + first + unknown
        if token in known
        else first + (token % unknown if unknown > 1 else 0)
        for token in tokens.tolist()
    ]
    assert layer(tokens).tolist() == wanted
    assert jax.jit(layer)(tokens).tolist() == wanted


@pytest.mark.parametrize("known", [[3, 5, 4], [3, 5, 10**6]])
def test_an_unknown_value_without_a_number_is_refused(known):
    layer = layers.IntegerLookup(vocabulary=known, num_oov_indices=0)
    assert layer([5, 3]).tolist() == [1, 0]
    for other in (2, 6, 10**7):
        with pytest.raises(ValueError, match="no number for unknown tokens"):
            layer([5, other])


def test_hashes_are_the_same_when_they_are_remembered(monkeypatch):
    monkeypatch.setattr(hashing, "_REMEMBERED", 50)
    layer = layers.Hashing(7, mask_value=3)
    rng = np.random.default_rng(0)
    for _ in range(8):
        values = rng.integers(0, 40, 60)
        wanted = [0 if v == 3 else 1 + fingerprint64(str(v).encode()) % 6 for v in values.tolist()]
        assert layer(values).tolist() == wanted
        assert layer(values.astype(str)).tolist() == [
            1 + fingerprint64(str(v).encode()) % 6 for v in values.tolist()
        ]
        assert len(layer._bins_of) <= 50 + 120


def test_what_is_remembered_is_no_part_of_the_model():
    layer = layers.Hashing(7)
    layer(np.arange(1000))
    assert layer.get_config() == layers.Hashing(7, name=layer.name).get_config()
    assert not layer.variables
