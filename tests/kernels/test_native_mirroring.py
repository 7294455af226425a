"""The compiled mirroring of pictures beside the reference, and where a known pixel lands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream import layers
from slipstream.kernels.mirroring import mirror

pytestmark = needs_native

WAYS = [(True, False), (False, True), (True, True)]
CHOSEN = np.array([True, False, True])


@pytest.mark.parametrize("ways", WAYS, ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 33])
@pytest.mark.parametrize("width", [1, 2, 5, 16, 17, 64, 99])
def test_pictures_that_are_chosen(width, channels, ways):
    images = normal(3, 4, width, channels)
    function = jax.jit(lambda x: mirror(x, CHOSEN, *ways))
    assert "slipstream_mirror" in function.lower(images).as_text()
    found = np.asarray(function(images))
    for one, picture, turned in zip(found, np.asarray(images), CHOSEN, strict=True):
        steps = [slice(None, None, -1 if turned and way else 1) for way in ways]
        np.testing.assert_array_equal(one, picture[steps[0], steps[1]])


def test_gradients_follow_the_reference():
    agree(lambda x: mirror(x, CHOSEN, True, False), normal(3, 4, 5, 2), derived=True)


def test_the_layer_has_it():
    layer = layers.RandomFlip("horizontal")
    lowered = jax.jit(lambda x: layer(x, training=True)).lower(jnp.zeros((4, 8, 8, 3)))
    assert "slipstream_mirror" in lowered.as_text()


def test_other_types_take_the_reference():
    images = normal(3, 4, 5, 3, dtype="bfloat16")
    function = jax.jit(lambda x: mirror(x, CHOSEN, False, True))
    assert "slipstream_" not in function.lower(images).as_text()
    np.testing.assert_array_equal(function(images)[0], images[0, :, ::-1])


def test_batched():
    images = normal(2, 3, 4, 5, 3)
    found = jax.vmap(lambda x: mirror(x, CHOSEN, True, True))(images)
    np.testing.assert_array_equal(found[:, 0], images[:, 0, ::-1, ::-1])
    np.testing.assert_array_equal(found[:, 1], images[:, 1])


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")
