"""What compilers make of augmentation: an example's numbers are drawn once, not for each pixel."""

import re

import jax
import numpy as np
import pytest

from slipstream import layers
from slipstream.core.random import key_from
from slipstream.core.scope import Scope

SHAPE = (4, 16, 16, 3)
LAYERS = {
    "jitter": lambda: layers.RandomColorJitter((0, 255), 0.2, 0.2, 0.2, 0.2),
    "brightness, then saturation": lambda: layers.RandomColorJitter((0, 255), 0.2, None, 0.2),
    "solarization": lambda: layers.Solarization(0.2, 0.6),
    "posterization": lambda: layers.RandomPosterization(4),
}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="reads what the CPU's compiler fuses")
@pytest.mark.parametrize("name", LAYERS)
def test_numbers_of_an_example_are_not_drawn_again_for_each_pixel(name):
    layer = LAYERS[name]()

    def program(seed, pictures):
        with Scope(key=key_from(seed)).active():
            return layer(pictures, training=True)

    arguments = np.uint32(0), np.zeros(SHAPE, "float32")
    text = jax.jit(program).lower(*arguments).compile().as_text()
    fused = re.findall(r"^%fused_computation[^\n]*\{\n(.*?)^\}", text, re.M | re.S)
    drawn = [body for body in fused if "xor(" in body]
    assert drawn  # the hash is in some loop
    for body in drawn:
        sizes = [np.prod([int(n) for n in shape.split(",")]) for shape in _shapes(body)]
        assert max(sizes) < np.prod(SHAPE[:3])


def _shapes(body):
    return re.findall(r"= \w+\[([\d,]+)\]", body)
