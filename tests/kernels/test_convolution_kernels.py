"""Convolutions against their definition in float64, and against each other."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.kernels.convolution import (
    convolve,
    convolve_transpose,
    depthwise,
)
from slipstream.kernels.geometry import output_size, transposed_size


def by_definition(x, kernel, strides, padding, dilation, groups=1):
    """Every output element by itself, in float64; channels last."""
    rank, window = x.ndim - 2, kernel.shape[:-2]
    sizes = [
        output_size(n, *rest)
        for n, *rest in zip(x.shape[1:-1], window, strides, [padding] * rank, dilation)
    ]
    pads = []
    for n, w, s, d, size in zip(x.shape[1:-1], window, strides, dilation, sizes):
        reach = (w - 1) * d + 1
        total = max((size - 1) * s + reach - n, 0)
        before = {"valid": 0, "same": total // 2, "causal": reach - 1}[padding]
        pads.append((before, total))
    x = np.pad(x.astype("d"), [(0, 0), *pads, (0, 0)])
    filters, part = kernel.shape[-1] // groups, kernel.shape[-2]
    out = np.zeros((len(x), *sizes, kernel.shape[-1]))
    for at in np.ndindex(*sizes):
        for offset in np.ndindex(*window):
            place = tuple(a * s + o * d for a, s, o, d in zip(at, strides, offset, dilation))
            seen = x[(slice(None), *place)]
            for g in range(groups):
                channels = slice(g * part, (g + 1) * part)
                mine = slice(g * filters, (g + 1) * filters)
                out[(slice(None), *at, mine)] += seen[:, channels] @ kernel[(*offset,)][:, mine]
    return out


CASES = [
    ((2, 7, 3), (3,), (2,), (1,), 1),
    ((2, 7, 4), (2,), (1,), (3,), 2),
    ((1, 5, 4, 2), (3, 2), (2, 3), (1, 1), 1),
    ((1, 5, 4, 2), (2, 2), (1, 1), (2, 1), 2),
    ((1, 3, 4, 2, 2), (2, 3, 1), (1, 2, 2), (1, 1, 1), 1),
]


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("shape", "window", "strides", "dilation", "groups"), CASES)
def test_convolution_by_its_definition_in_both_formats(
    rng, shape, window, strides, dilation, groups, padding
):
    if padding == "causal" and len(shape) > 3:
        return
    x = rng.normal(size=shape).astype("f")
    kernel = rng.normal(size=(*window, shape[-1] // groups, 4)).astype("f")
    wanted = by_definition(x, kernel, strides, padding, dilation, groups)
    got = convolve(x, kernel, strides, padding, dilation, groups)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    first = convolve(np.moveaxis(x, -1, 1), kernel, strides, padding, dilation, groups, False)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "dilation"),
    [
        (7, 3, 2, "valid", 1),
        (8, 3, 2, "same", 1),
        (7, 4, 3, "same", 1),
        (9, 1, 2, "valid", 1),
        (6, 3, 1, "valid", 2),
    ],
)
def test_the_transpose_is_the_gradient(rng, size, window, stride, padding, dilation, channels_last):
    """<convolve(x), y> = <x, convolve_transpose(y)> for every x: both are one linear map."""
    kernel = rng.normal(size=(window, window, 2, 3)).astype("f")
    shape = (2, size, size, 2) if channels_last else (2, 2, size, size)
    strides, dilations = (stride, stride), (dilation, dilation)

    def forward(x):
        return convolve(x, kernel, strides, padding, dilations, 1, channels_last)

    y = rng.normal(size=forward(jnp.zeros(shape)).shape).astype("f")
    count = y.shape[1 if channels_last else 2]
    sizes = {
        extra: transposed_size(count, window, stride, padding, dilation, extra)
        for extra in (None, *range(stride))
    }
    extra = next(extra for extra, wanted in sizes.items() if wanted == size)
    pair = None if extra is None else (extra, extra)
    got = convolve_transpose(y, kernel, strides, padding, dilations, pair, channels_last)
    (wanted,) = jax.vjp(forward, jnp.zeros(shape))[1](y)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_depthwise_is_a_convolution_of_each_channel(rng):
    x, kernel = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(2, 3, 3, 2))
    x, kernel = x.astype("f"), kernel.astype("f")
    got = depthwise(x, kernel, (2, 1), "same")
    for channel, filter_ in product(range(3), range(2)):
        alone = kernel[:, :, channel, filter_, None, None]
        wanted = by_definition(x[..., channel : channel + 1], alone, (2, 1), "same", (1, 1))
        np.testing.assert_allclose(got[..., channel * 2 + filter_], wanted[..., 0], atol=1e-5)
    first = depthwise(np.moveaxis(x, -1, 1), kernel, (2, 1), "same", channels_last=False)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), got, atol=1e-5)


def test_low_precision_sums_in_more(rng):
    """5000 products near 1 in float16: a sum kept in float16 would stop growing at 2048."""
    x, kernel = np.ones((1, 1, 5000), "float16"), np.ones((1, 5000, 1), "float16")
    assert float(convolve(x, kernel, (1,))[0, 0, 0]) == 5000
