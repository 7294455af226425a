"""Upsampling, padding and cropping against Keras', and what they refuse."""

import numpy as np
import parity
import pytest

from slipstream import layers

FIRST = {"data_format": "channels_first"}
CASES = [
    ("UpSampling1D", {}, (2, 3, 2)),
    ("UpSampling1D", {"size": 3}, (0, 3, 2)),
    ("UpSampling2D", {"size": (2, 1)}, (2, 3, 1, 2)),
    ("UpSampling2D", {"size": 2, **FIRST}, (2, 3, 1, 2)),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, (2, 3, 2, 1)),
    ("UpSampling2D", {"interpolation": "bilinear", **FIRST}, (1, 2, 3, 1)),
    ("UpSampling2D", {"interpolation": "bicubic"}, (1, 4, 3, 2)),
    ("UpSampling2D", {"interpolation": "lanczos3"}, (1, 4, 3, 2)),
    ("UpSampling2D", {"interpolation": "lanczos5"}, (1, 4, 3, 2)),
    ("UpSampling3D", {"size": (1, 2, 3)}, (1, 2, 1, 2, 2)),
    ("ZeroPadding1D", {"padding": (0, 2)}, (2, 3, 2)),
    ("ZeroPadding1D", {"padding": 1, **FIRST}, (2, 3, 2)),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3))}, (2, 1, 2, 2)),
    ("ZeroPadding2D", {"padding": (1, 2), **FIRST}, (0, 1, 2, 2)),
    ("ZeroPadding3D", {}, (1, 1, 2, 2, 1)),
    ("ZeroPadding3D", {"padding": (0, 1, 2), **FIRST}, (1, 1, 2, 2, 1)),
    ("Cropping1D", {}, (2, 3, 2)),
    ("Cropping1D", {"cropping": (0, 2)}, (2, 3, 2)),
    ("Cropping2D", {"cropping": ((0, 1), (2, 0))}, (2, 3, 4, 2)),
    ("Cropping2D", {"cropping": 1, **FIRST}, (2, 1, 3, 4)),
    ("Cropping3D", {"cropping": (0, 1, 2)}, (1, 2, 3, 5, 2)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, shape):
        parity.check_values_and_gradients(name, arguments, parity.data(shape))

    def test_shapes(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))

    def test_config(self, name, arguments, shape):
        parity.check_config(name, arguments, parity.data(shape))


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES[4:7])
def test_policies(name, arguments, shape):
    parity.check_policies(name, arguments, parity.data(shape))


def test_cropping_undoes_padding_and_unknown_sizes_stay_unknown():
    ends = ((1, 2), (0, 3))
    x = parity.data((2, 3, 4, 2))
    np.testing.assert_array_equal(layers.Cropping2D(ends)(layers.ZeroPadding2D(ends)(x)), x)
    symbol = layers.ZeroPadding2D(ends)(layers.Input((None, 4, 2)))
    assert symbol.shape == (None, None, 7, 2)
    assert layers.Cropping2D(ends)(symbol).shape == (None, None, 4, 2)
    assert layers.UpSampling2D(3)(symbol).shape == (None, None, 21, 2)


@pytest.mark.parametrize("name", ["UpSampling2D", "ZeroPadding2D", "Cropping2D"])
def test_whole_numbers_stay_whole(name):
    x = np.arange(12, dtype="int32").reshape(1, 2, 3, 2)
    assert getattr(layers, name)()(x).dtype == np.int32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.UpSampling1D(0), "size must be a whole number of at least 1"),
        (lambda: layers.UpSampling2D(2.5), "got 2.5"),
        (lambda: layers.UpSampling2D(interpolation="area"), "'nearest' or 'bilinear'.*got 'area'"),
        (lambda: layers.ZeroPadding1D(-1), "at least 0, or \\(before, after\\); got -1"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), r"2 pairs \(before, after\); got \(1, 2, 3\)"),
        (lambda: layers.ZeroPadding2D(((1, 2), (1, 2, 3))), "padding must be"),
        (lambda: layers.ZeroPadding3D(None), "got None"),
        (lambda: layers.Cropping1D(1.5), "cropping must be"),
        (lambda: layers.Cropping1D(2)(np.ones((1, 4, 1), "f")), "leaves nothing"),
        (lambda: layers.Cropping2D(2)(layers.Input((4, 9, 1))), r"leaves nothing .* \(None, 4"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
