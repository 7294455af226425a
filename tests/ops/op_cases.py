"""Calls of every operation that Keras and we have in common: a name and its arguments.

NumPy arrays among the arguments are what the operation works on; the rest are its options.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_numbers = np.random.default_rng(7)


class Case(NamedTuple):
    name: str
    args: tuple
    kwargs: dict[str, Any]

    def __repr__(self) -> str:
        parts = [brief(value) for value in self.args]
        parts += [f"{key}={brief(value)}" for key, value in self.kwargs.items()]
        return f"{self.name}({','.join(parts)})"


def brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return value.dtype.kind + str(value.itemsize) + "x".join(map(str, value.shape))
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(brief, value)) + "]"
    return str(value)


def case(name: str, *args: Any, **kwargs: Any) -> Case:
    return Case(name, args, kwargs)


def f(*shape: int) -> np.ndarray:
    """Normal numbers."""
    return _numbers.normal(size=shape).astype("float32")


def p(*shape: int) -> np.ndarray:
    """Numbers between 0.1 and 0.9."""
    return _numbers.uniform(0.1, 0.9, size=shape).astype("float32")


def i(*shape: int, below: int = 7) -> np.ndarray:
    """Whole numbers from 0."""
    return _numbers.integers(0, below, size=shape).astype("int32")


def b(*shape: int) -> np.ndarray:
    return _numbers.integers(0, 2, size=shape).astype("bool")


def c(*shape: int) -> np.ndarray:
    return (f(*shape) + 1j * f(*shape)).astype("complex64")


def half(*shape: int) -> np.ndarray:
    return f(*shape).astype("float16")


def nan(*shape: int) -> np.ndarray:
    """Some of the numbers are none."""
    return np.where(_numbers.uniform(size=shape) < 0.3, np.nan, f(*shape)).astype("float32")


def simplex(*shape: int) -> np.ndarray:
    x = np.exp(f(*shape))
    return (x / x.sum(-1, keepdims=True)).astype("float32")


EDGES = np.array([-np.inf, -2.5, -1, -0.0, 0, 0.5, 1.5, np.inf, np.nan], "float32")
ANY = [
    "abs", "absolute", "angle", "arctan", "arcsinh", "cbrt", "ceil", "conj", "conjugate", "copy",
    "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fabs", "floor", "imag", "isfinite", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "logical_not", "negative", "rad2deg", "ravel",
    "real", "round", "sign", "signbit", "sin", "sinc", "sinh", "square", "tan", "tanh", "trunc",
    "zeros_like", "ones_like", "nan_to_num", "erf", "erfc", "i0", "reciprocal", "flip", "ndim",
    "size", "shape", "transpose",
]  # fmt: skip
POSITIVE = ["log", "log10", "log1p", "log2", "sqrt", "rsqrt", "arccos", "arcsin", "arctanh",
            "erfinv"]  # fmt: skip
TWO = [
    "add", "subtract", "multiply", "divide", "true_divide", "divide_no_nan", "maximum", "minimum",
    "power", "arctan2", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal",
    "logaddexp", "logaddexp2", "hypot", "fmax", "fmin", "isclose", "allclose", "heaviside",
    "mod", "floor_divide", "fmod", "logical_and", "logical_or", "logical_xor", "nextafter",
    "outer", "append",
]  # fmt: skip
WHOLE = ["gcd", "lcm", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift",
         "bitwise_left_shift", "bitwise_right_shift"]  # fmt: skip
NO_COMPLEX = set(TWO) - {"add", "subtract", "multiply", "divide", "equal", "not_equal"}
REDUCE = ["sum", "mean", "prod", "max", "min", "amax", "amin", "any", "all", "std", "var", "ptp",
          "median", "logsumexp", "argmax", "argmin"]  # fmt: skip
NAN_REDUCE = ["nanmax", "nanmin", "nansum", "nanprod", "nanmean", "nanstd", "nanvar", "nanmedian",
              "nanargmax", "nanargmin"]  # fmt: skip
ACTIVATIONS = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "relu", "relu6", "selu", "sigmoid",
    "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "squareplus", "swish", "tanh_shrink",
]  # fmt: skip

ELEMENTWISE = [
    *(case(name, f(3, 4)) for name in ANY),
    *(case(name, i(3, 4)) for name in ANY if "erf" not in name),
    *(case(name, p(3, 4)) for name in POSITIVE),
    case("arccosh", 1 + p(3, 4)),
    *(
        case(name, EDGES)
        for name in (
            "sign",
            "round",
            "floor",
            "isfinite",
            "isinf",
            "isnan",
            "isneginf",
            "isposinf",
            "signbit",
            "exp",
            "log1p",
            "nan_to_num",
            "trunc",
        )
    ),
    *(case(name, half(3)) for name in ("sin", "sqrt", "exp", "log1p", "square", "erf", "rsqrt")),
    *(case(name, b(3)) for name in ("exp", "square", "logical_not", "absolute", "sqrt")),
    *(case(name, c(3)) for name in ("angle", "conj", "real", "imag", "abs", "exp", "isreal")),
    case("round", f(3, 4), 1),
    case("nan_to_num", EDGES, 1.0, 2.0, -3.0),
    case("clip", f(3, 4), -0.5, 0.5),
    case("clip", i(3, 4), 1, 3),
    case("clip", f(3, 4), f(4) - 1, 1.0),
    case("bitwise_not", i(3)),
    case("bitwise_invert", i(3)),
    case("view", f(3, 4), "int32"),
    case("view", i(3, 4)),
    case("cast", f(3, 4), "float16"),
    case("cast", f(3, 4), "int32"),
    case("cast", f(3, 4), "bool"),
    case("saturate_cast", np.array([-300.0, 3.5, 300.0], "float32"), "uint8"),
    case("saturate_cast", i(4, below=900), "int8"),
    case("stop_gradient", f(3)),
]
PAIRS = [
    *(case(name, f(3, 4), f(4)) for name in TWO),
    *(case(name, f(3, 4), 2.0) for name in TWO[::3]),
    *(case(name, i(3, 4), i(3, 4) + 1) for name in TWO),
    *(case(name, 1 + i(3, 4), 2) for name in WHOLE[::2]),
    *(case(name, 1 + i(3, 4), i(4)) for name in WHOLE),
    *(case(name, half(3, 4), f(4)) for name in ("add", "divide", "maximum")),
    *(case(name, i(3, 4), f(4)) for name in ("add", "divide", "power", "floor_divide")),
    *(case(name, b(3, 4), b(4)) for name in ("add", "multiply", "maximum", "logical_and", "equal")),
    case("add", b(3), 1),
    case("add", i(3), 1.5),
    case("add", half(3), 1.5),
    case("multiply", 2, f(3)),
    case("subtract", [1.0, 2.0], [3.0, 4.0]),
    case("divide_no_nan", f(4), np.array([0, 1, 0, 2], "float32")),
    case("ldexp", f(3), i(3)),
    case("power", p(3), f(3)),
    case("isclose", f(4), f(4), 0.5, 0.5, True),
]
REDUCTIONS = [
    *(case(name, f(3, 4, 2)) for name in REDUCE),
    *(case(name, i(3, 4), axis=1) for name in REDUCE),
    *(case(name, f(3, 4), axis=-1, keepdims=True) for name in REDUCE),
    *(case(name, b(3, 4), axis=1) for name in ("sum", "any", "all", "max", "mean", "prod")),
    *(case(name, half(3, 4), axis=1) for name in ("sum", "mean", "var", "logsumexp", "std")),
    *(
        case(name, f(2, 3, 4), axis=(1, 2))
        for name in ("sum", "mean", "max", "var", "median", "logsumexp", "all", "count_nonzero")
    ),
    *(case(name, nan(3, 4), axis=1) for name in NAN_REDUCE if "arg" not in name),
    *(case(name, np.where(np.arange(4) > 0, nan(3, 4), 1), axis=1) for name in NAN_REDUCE),
    *(case(name, i(3, 4), axis=0, keepdims=True) for name in NAN_REDUCE),
    case("max", f(3, 4), axis=1, initial=0.5),
    case("min", f(3, 4), initial=0.5),
    case("prod", i(3, 4), axis=1, dtype="float32"),
    case("average", f(3, 4)),
    case("average", f(3, 4), axis=1, weights=p(4)),
    case("average", i(3, 4), axis=0),
    case("count_nonzero", i(3, 4), axis=1),
    case("count_nonzero", i(3, 4)),
    case("cumsum", f(3, 4)),
    case("cumsum", i(3, 4), axis=1),
    case("cumsum", b(3, 4), axis=1),
    case("cumprod", f(3, 4), axis=1, dtype="float16"),
    case("nancumsum", nan(3, 4), axis=1),
    case("nancumprod", nan(3, 4)),
    case("trapezoid", f(3, 4)),
    case("trapezoid", f(3, 4), dx=0.5, axis=0),
    case("trapezoid", f(3, 4), p(4)),
    case("moments", f(2, 3, 4), [0, 1]),
    case("moments", half(2, 3, 4), [1], keepdims=True),
    case("normalize", f(3, 4)),
    case("normalize", f(3, 4), axis=0, order=1),
    case("normalize", f(3, 4), axis=1, order=3, epsilon=0.1),
    case("normalize", np.zeros((2, 3), "f")),
    case("psnr", p(3, 4), p(3, 4), 1.0),
]
STATISTICS = [
    *(case(name, f(5, 4), 0.3, axis=0) for name in ("quantile", "nanquantile")),
    *(case(name, f(5, 4), 30.0) for name in ("percentile", "nanpercentile")),
    *(
        case("quantile", f(5, 4), 0.3, axis=0, method=m)
        for m in ("lower", "higher", "midpoint", "nearest")
    ),
    case("quantile", f(5, 4), np.array([0.2, 0.7], "f"), axis=1, keepdims=True),
    case("percentile", i(5, 4), 20, axis=1),
    case("median", f(5, 4), axis=(0, 1), keepdims=True),
    case("histogram", f(30)),
    case("histogram", f(30), 5, (-1.0, 1.0)),
    case("bincount", i(9)),
    case("bincount", i(9), minlength=12),
    case("bincount", i(9), weights=f(9), minlength=7),
    case("bincount", i(3, 4), minlength=7),
    case("corrcoef", f(3, 8)),
    case("correlate", f(5), f(3)),
    case("correlate", f(5), f(3), mode="same"),
    case("correlate", i(3), i(5), mode="full"),
    case("digitize", f(3, 4), np.array([-1.0, 0.0, 1.0])),
    case("digitize", i(5), [2, 4]),
]
PRODUCTS = [
    case("dot", f(3, 4), f(4, 2)),
    case("dot", f(4), f(4)),
    case("dot", f(2, 3, 4), f(4, 5)),
    case("dot", i(3, 4), i(4)),
    case("matmul", f(2, 3, 4), f(4, 5)),
    case("matmul", half(3, 4), f(4, 2)),
    case("matmul", np.ones((3, 4), "int8"), np.ones((4, 2), "int8")),
    case("matmul", f(4), f(4, 2)),
    case("einsum", "ij,jk->ik", f(2, 3), f(3, 4)),
    case("einsum", "bij,bjk", f(2, 3, 4), f(2, 4, 3)),
    case("einsum", "...i,ij->...j", f(2, 3, 4), f(4, 5)),
    case("einsum", "ii->i", f(3, 3)),
    case("einsum", "ij,jk->ik", i(2, 3), i(3, 4)),
    case("einsum", "ij,jk->ik", half(2, 3), half(3, 4)),
    case("inner", f(3, 4), f(2, 4)),
    case("vdot", f(2, 3), f(2, 3)),
    case("kron", f(2, 3), f(2, 2)),
    case("cross", f(4, 3), f(4, 3)),
    case("cross", f(4, 2), f(4, 2)),
    case("cross", f(3, 4), f(3, 4), axis=0),
    case("tensordot", f(2, 3, 4), f(3, 4, 5)),
    case("tensordot", f(2, 3, 4), f(4, 3, 5), axes=[[1, 2], [1, 0]]),
    case("tensordot", f(2, 3), f(3, 2), axes=1),
    case("cdist", f(5, 3), f(4, 3)),
    case("vander", f(4)),
    case("vander", f(4), 3, True),
]
SHAPING = [
    case("reshape", f(3, 4), (2, 6)),
    case("reshape", f(3, 4), (-1, 2, 2)),
    case("reshape", f(3, 4), -1),
    case("squeeze", f(3, 1, 1)),
    case("squeeze", f(3, 1, 1), axis=1),
    case("squeeze", f(3, 1, 1), axis=(1, 2)),
    case("expand_dims", f(3, 4), 1),
    case("expand_dims", f(3, 4), -1),
    case("expand_dims", f(3, 4), (1, 3)),
    case("broadcast_to", f(4), (3, 4)),
    case("transpose", f(2, 3, 4), (0, 2, 1)),
    case("swapaxes", f(2, 3, 4), 1, 2),
    case("moveaxis", f(2, 3, 4), 1, -1),
    case("moveaxis", f(2, 3, 4), (0, 1), (2, 0)),
    case("flip", f(3, 4), axis=1),
    case("flip", f(3, 4), axis=(0, 1)),
    case("fliplr", f(3, 4)),
    case("flipud", f(3, 4)),
    case("rot90", f(3, 4)),
    case("rot90", f(2, 3, 4), 3, (1, 2)),
    case("roll", f(3, 4), 2),
    case("roll", f(3, 4), 1, axis=1),
    case("roll", f(3, 4), (1, 2), axis=(0, 1)),
    case("repeat", f(3, 4), 2),
    case("repeat", f(3, 4), 2, axis=1),
    case("tile", f(3, 4), 2),
    case("tile", f(3, 4), (2, 1, 2)),
    case("pad", f(3, 4), 1),
    case("pad", f(3, 4), ((0, 1), (2, 0))),
    case("pad", f(3, 4), (1, 2), mode="reflect"),
    case("pad", f(3, 4), ((1, 1), (0, 2)), mode="constant", constant_values=7.0),
    case("pad", f(3, 4), ((1, 1), (0, 2)), mode="symmetric"),
    case("pad", f(3, 4), ((1, 1), (0, 2)), mode="edge"),
    case("concatenate", [f(3, 4), f(3, 2)], axis=1),
    case("concatenate", [f(3, 4), i(3, 4)]),
    case("concatenate", [f(3, 4), f(3, 2)], axis=-1),
    case("stack", [f(3, 4), f(3, 4)]),
    case("stack", [f(3, 4), i(3, 4)], axis=-1),
    case("hstack", [f(3, 4), f(3, 2)]),
    case("vstack", [f(3, 4), f(2, 4)]),
    case("dstack", [f(3, 4), f(3, 4)]),
    case("unstack", f(3, 4), axis=1),
    case("unstack", f(3, 4), num=4, axis=-1),
    case("split", f(3, 4), 2, axis=1),
    case("split", f(3, 4), [1, 3], axis=1),
    case("array_split", f(3, 5), 2, axis=1),
    case("hsplit", f(3, 4), 2),
    case("vsplit", f(4, 3), [1, 3]),
    case("dsplit", f(2, 3, 4), 2),
    case("meshgrid", f(3), f(4)),
    case("meshgrid", f(3), f(4), i(2), indexing="ij"),
    case("diag", f(4)),
    case("diag", f(3, 4), k=1),
    case("diagflat", f(3, 2), k=-1),
    case("diagonal", f(3, 4, 2), 1, 0, 2),
    case("trace", f(3, 4)),
    case("trace", i(3, 4, 2), 1, 1, 2),
    case("tril", f(3, 4)),
    case("triu", f(2, 3, 4), k=1),
    case("diff", f(3, 4)),
    case("diff", f(3, 4), n=2, axis=0),
    case("append", f(3, 4), f(3, 2), axis=1),
    case("extract_sequences", f(2, 10), 4, 3),
    case("rearrange", f(2, 3, 4), "a b c -> a (b c)"),
    case("rearrange", f(2, 12), "a (b c) -> c a b", b=3),
    case("view_as_complex", f(3, 2)),
    case("view_as_real", c(3)),
    case("polar", p(3), f(3)),
]
INDEXING = [
    case("get_item", f(3, 4), (slice(None), 1)),
    case("get_item", f(3, 4), (Ellipsis, slice(1, None, 2))),
    case("get_item", f(3, 4), (slice(None), None)),
    case("get_item", f(3, 4), -1),
    case("take", f(3, 4), [0, 2], axis=1),
    case("take", f(3, 4), i(2, 2, below=4), axis=1),
    case("take", f(3, 4), 5),
    case("take", f(3, 4), -1, axis=1),
    case("take_along_axis", f(3, 4), i(3, 2, below=4), axis=1),
    case("take_along_axis", f(3, 4), i(5, below=12)),
    case("where", b(3, 4), f(3, 4), f(4)),
    case("where", b(3, 4), f(3, 4), 0),
    case("where", b(3, 4), i(3, 4), 0.5),
    case("select", [b(3, 4), b(3, 4)], [f(3, 4), f(3, 4)]),
    case("select", [b(3), b(3)], [f(3), f(3)], 9.0),
    case("slice", f(3, 4), (0, 1), (3, 2)),
    case("slice", f(3, 4), np.array([1, 2]), (2, 2)),
    case("slice_update", f(3, 4), (1, 1), f(2, 2)),
    case("scatter", np.array([[0], [2], [0]]), f(3), (4,)),
    case("scatter", np.array([[0], [2]]), f(2, 3), (4, 3)),
    case("scatter", np.array([[0, 1], [2, 1]]), f(2), (4, 3)),
    *(
        case("scatter_update", f(4, 3), np.array([[0, 1], [2, 2]]), f(2), reduction=r)
        for r in (None, "add", "max", "min", "mul")
    ),
    case("unravel_index", i(5, below=12), (3, 4)),
    case("one_hot", i(3, 2), 5),
    case("one_hot", i(3, 2), 5, axis=0, dtype="int32"),
    case("one_hot", np.array([-1, 0, 5]), 5, axis=1),
    case("multi_hot", i(3, 2), 7),
    case("multi_hot", i(3, 2), 7, dtype="bool"),
    case("multi_hot", i(4), 7),
    case("tri", 3, 4, 1),
]
SORTING = [
    case("sort", f(3, 4)),
    case("sort", f(3, 4), axis=0),
    case("argsort", f(3, 4)),
    case("argsort", i(3, 4), axis=0),
    case("argsort", f(3, 4), axis=None),
    case("argpartition", f(9), 0),
    case("searchsorted", np.array([1.0, 2.0, 4.0], "f"), f(5)),
    case("searchsorted", np.array([1, 2, 4]), i(5), side="right"),
    case("top_k", f(3, 5), 2),
    case("top_k", i(9), 3),
    case("in_top_k", i(3, below=5), f(3, 5), 2),
    case("isin", i(3, 4), i(3)),
    case("isin", i(3, 4), [2, 3], invert=True),
    case("segment_sum", f(5, 2), np.array([0, 0, 1, 2, 2]), num_segments=4),
    case("segment_sum", i(5), np.array([2, 0, 1, 0, 2]), num_segments=3),
    case("segment_max", f(5, 2), np.array([0, 0, 1, 2, 2]), num_segments=4, sorted=True),
    case("segment_min", f(5), np.array([0, 0, 1, 2, 2]), num_segments=3),
    case("segment_prod", f(5), np.array([0, 0, 1, 2, 2]), num_segments=3),
]
CREATION = [
    case("arange", 5),
    case("arange", 5.0),
    case("arange", 1, 7, 2),
    case("arange", 1, 2, 0.25),
    case("arange", 5, dtype="float16"),
    case("array", [1, 2]),
    case("array", [1.0, 2.0], "float16"),
    case("convert_to_tensor", [1, 2], "float32"),
    case("convert_to_tensor", np.array([1.0])),
    case("convert_to_tensor", np.array([1])),
    case("convert_to_tensor", True),
    case("convert_to_tensor", 2.5),
    case("zeros", (2, 3)),
    case("zeros", 3, "int32"),
    case("ones", (2, 3), "bool"),
    case("full", (2, 3), 7.5),
    case("full", (2,), 7, "int32"),
    case("full", (2,), 7),
    case("full_like", f(3), 2),
    case("full_like", i(3), 2.5, dtype="float32"),
    case("zeros_like", f(3), dtype="int32"),
    case("ones_like", b(3)),
    case("empty", (2, 0)),
    case("empty_like", f(0, 2)),
    case("eye", 3),
    case("eye", 3, 4, 1, "int32"),
    case("identity", 3),
    case("identity", 2, "bool"),
    case("tri", 3),
    case("linspace", 0.0, 1.0, 5),
    case("linspace", 0, 5, 4, endpoint=False, dtype="float16"),
    case("linspace", f(3), f(3), 4, axis=-1),
    case("linspace", 0, 1, 5, retstep=True),
    case("logspace", 0, 2, 5),
    case("logspace", 0, 2, 5, base=2, dtype="float16"),
    case("geomspace", 1, 16, 5),
    *(case(name, 7) for name in ("bartlett", "blackman", "hamming", "hanning")),
    case("kaiser", 7, 2.5),
]
SIGNALS = [
    case("fft", (f(3, 4), f(3, 4))),
    case("fft2", (f(2, 3, 4), f(2, 3, 4))),
    case("ifft2", (f(2, 3, 4), f(2, 3, 4))),
    case("rfft", f(3, 8)),
    case("rfft", f(3, 8), 6),
    case("rfft", f(3, 8), 11),
    case("irfft", (f(3, 5), f(3, 5))),
    case("irfft", (f(3, 5), f(3, 5)), 7),
    case("stft", f(2, 20), 6, 3, 8),
    case("stft", f(2, 20), 6, 3, 8, window=None, center=False),
    case("stft", f(20), 8, 2, 8, window="hamming"),
    case("istft", (f(2, 7, 5), f(2, 7, 5)), 6, 3, 8),
    case("istft", (f(2, 7, 5), f(2, 7, 5)), 6, 3, 8, length=15, center=False),
    case("istft", (f(7, 5), f(7, 5)), 8, 4, 8, window=None),
]
WELL = np.array([[4.0, 1, 0.5], [1, 3, 0.2], [0.5, 0.2, 2]], "f")
WELLS = np.stack([WELL, WELL + np.eye(3, dtype="f")])
LINEAR = [
    case("cholesky_inverse", WELL),
    *(
        case(name, WELLS)
        for name in (
            "cholesky",
            "det",
            "inv",
            "logdet",
            "slogdet",
            "eigh",
            "lu_factor",
            "matrix_rank",
            "pinv",
            "qr",
        )
    ),
    case("cholesky", WELL, upper=True),
    case("cholesky_inverse", WELL, upper=True),
    case("eig", WELL),
    case("lstsq", f(5, 3), f(5)),
    case("lstsq", f(5, 3), f(5, 2)),
    case("lstsq", f(5, 3), f(5, 2), rcond=0.4),
    case("matrix_rank", f(3, 4), tol=0.5),
    case("pinv", f(3, 4), rcond=0.3),
    case("qr", f(4, 3), mode="complete"),
    case("svd", f(2, 4, 3)),
    case("svd", f(4, 3), full_matrices=False),
    case("svd", f(4, 3), compute_uv=False),
    case("solve", WELLS, f(2, 3, 2)),
    case("solve", WELL, f(3)),
    case("solve_triangular", np.triu(WELLS), f(2, 3, 2)),
    case("solve_triangular", np.tril(WELL), f(3), lower=True),
    case("norm", f(3, 4)),
    *(case("norm", f(3, 4), ord=o) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
    *(case("norm", f(3, 4), ord=o, axis=1) for o in (0, 1, 2, 3, np.inf, -np.inf)),
    case("norm", f(2, 3, 4), axis=(1, 2), keepdims=True),
    case("norm", i(3, 4), axis=-1),
    case("norm", half(3, 4), axis=-1),
]
NN = [
    *(case(name, 3 * f(3, 4)) for name in ACTIVATIONS),
    *(case(name, half(3, 4)) for name in ("gelu", "softmax", "sigmoid", "silu", "relu", "glu")),
    case("relu", i(3, 4) - 3),
    case("threshold", f(3, 4), 0.1, -3.0),
    case("gelu", f(3), approximate=False),
    case("leaky_relu", f(3), negative_slope=0.5),
    case("elu", f(3), alpha=0.5),
    case("celu", f(3), alpha=0.5),
    case("squareplus", f(3), b=1),
    case("hard_shrink", f(3), threshold=1.0),
    case("soft_shrink", f(3), threshold=1.0),
    case("softmax", f(2, 3, 4), axis=(1, 2)),
    case("softmax", f(3, 4), axis=0),
    case("softmax", f(3, 4), axis=None),
    case("log_softmax", f(3, 4), axis=0),
    case("log_softmax", f(2, 3, 4), axis=(1, 2)),
    case("glu", f(4, 3), axis=0),
    case("binary_crossentropy", i(3, 4, below=2).astype("f"), p(3, 4)),
    case("binary_crossentropy", i(3, 4, below=2).astype("f"), f(3, 4), from_logits=True),
    case("categorical_crossentropy", simplex(3, 4), simplex(3, 4)),
    case("categorical_crossentropy", simplex(3, 4), f(3, 4), from_logits=True),
    case("categorical_crossentropy", simplex(3, 4), p(3, 4), axis=0),
    case("sparse_categorical_crossentropy", i(3, below=4), simplex(3, 4)),
    case("sparse_categorical_crossentropy", i(3, below=4), f(3, 4), from_logits=True),
    case("sparse_categorical_crossentropy", i(3, 1, below=4), p(3, 4)),
    case("sparse_categorical_crossentropy", i(3, 5, below=4), p(3, 5, 4)),
    case("ctc_loss", 1 + i(2, 3, below=4), f(2, 6, 5), np.array([3, 2]), np.array([6, 5])),
    case(
        "ctc_loss", i(2, 3, below=4), f(2, 6, 5), np.array([3, 2]), np.array([6, 5]), mask_index=4
    ),
    case("ctc_decode", f(2, 6, 5), np.array([6, 4])),
    case("ctc_decode", f(2, 6, 5), np.array([6, 4]), merge_repeated=False, mask_index=4),
    case(
        "ctc_decode",
        f(2, 6, 5),
        np.array([6, 4]),
        strategy="beam_search",
        beam_width=7,
        top_paths=2,
    ),
    case("dot_product_attention", f(2, 3, 2, 4), f(2, 5, 2, 4), f(2, 5, 2, 4)),
    case("dot_product_attention", f(2, 3, 4, 4), f(2, 5, 2, 4), f(2, 5, 2, 4)),
    case("dot_product_attention", f(2, 3, 2, 4), f(2, 5, 2, 4), f(2, 5, 2, 4), bias=f(1, 2, 3, 5)),
    case(
        "dot_product_attention",
        f(2, 3, 2, 4),
        f(2, 5, 2, 4),
        f(2, 5, 2, 4),
        mask=b(2, 1, 3, 5),
        scale=0.3,
    ),
    case("dot_product_attention", f(2, 5, 2, 4), f(2, 5, 2, 4), f(2, 5, 2, 4), is_causal=True),
    case("batch_normalization", f(3, 4), f(4), p(4), -1),
    case("batch_normalization", f(3, 4), f(4), p(4), -1, offset=f(4), scale=f(4)),
    case("batch_normalization", f(2, 3, 5), f(3), p(3), 1, scale=f(3), epsilon=0.1),
    case("layer_normalization", f(3, 4)),
    case("layer_normalization", f(3, 4), f(4), f(4)),
    case("layer_normalization", half(2, 3, 4), axis=(1, 2), epsilon=0.1),
    case("layer_normalization", f(2, 3, 4), f(3), axis=1),
    case("layer_normalization", f(3, 4), rms_scaling=True),
    case("rms_normalization", f(3, 4)),
    case("rms_normalization", f(3, 4), f(4), epsilon=0.1),
    case("rms_normalization", half(2, 3, 4), axis=(1, 2)),
    case("depth_to_space", f(2, 3, 4, 8), 2),
    case("depth_to_space", f(2, 8, 3, 4), 2, data_format="channels_first"),
    case("space_to_depth", f(2, 4, 6, 3), 2),
    case("space_to_depth", f(2, 3, 4, 6), 2, data_format="channels_first"),
    case("unfold", f(2, 3, 6, 7), 2),
    case("unfold", f(2, 3, 6, 7), (2, 3), dilation=2, padding=1, stride=(1, 2)),
    case("fold", f(2, 12, 30), (6, 7), 2),
    case("fold", f(2, 18, 18), (6, 7), (2, 3), dilation=2, padding=1, stride=(1, 2)),
]
CONVOLUTIONS = [
    case("conv", f(2, 7, 3), f(3, 3, 4)),
    case("conv", f(2, 7, 3), f(3, 3, 4), strides=2, padding="same"),
    case("conv", f(2, 7, 6, 3), f(3, 2, 3, 4), padding="same", dilation_rate=2),
    case("conv", f(2, 7, 6, 4), f(3, 2, 4, 4), strides=(2, 1)),
    case("conv", f(1, 5, 4, 4, 2), f(2, 2, 2, 2, 3)),
    case("conv_transpose", f(2, 4, 3), f(3, 2, 3)),
    case("conv_transpose", f(2, 4, 3), f(3, 2, 3), strides=2, padding="same"),
    case("conv_transpose", f(2, 4, 5, 3), f(3, 2, 2, 3), strides=(2, 3), padding="valid"),
    case(
        "conv_transpose", f(2, 4, 5, 3), f(3, 3, 2, 3), strides=2, padding="same", output_padding=1
    ),
    case("depthwise_conv", f(2, 7, 6, 3), f(3, 2, 3, 2)),
    case("depthwise_conv", f(2, 7, 3), f(3, 3, 1), strides=2, padding="same"),
    case("separable_conv", f(2, 7, 6, 3), f(3, 2, 3, 2), f(1, 1, 6, 4), padding="same"),
    case("separable_conv", f(2, 7, 3), f(3, 3, 1), f(1, 3, 2), strides=2),
    case("max_pool", f(2, 7, 3), 2, strides=2),
    case("max_pool", f(2, 7, 6, 3), (3, 2), strides=2, padding="same"),
    case("average_pool", f(2, 7, 3), 2, strides=1),
    case("average_pool", f(2, 7, 6, 3), (3, 2), strides=2, padding="same"),
    case("adaptive_average_pool", f(2, 7, 3), 3),
    case("adaptive_average_pool", f(2, 7, 6, 3), (3, 4)),
    case("adaptive_max_pool", f(2, 7, 6, 3), 2),
    case("adaptive_max_pool", f(2, 3, 7, 6), (3, 2), data_format="channels_first"),
]
PHOTO = p(2, 7, 9, 3)
BYTES = (PHOTO * 255).astype("uint8")
FIRST = np.moveaxis(PHOTO, -1, 1).copy()
AFFINE = np.array([[1, 0.1, 0.5, -0.1, 0.9, 0.3, 0, 0], [0.8, 0, 1, 0.2, 1, -1, 0, 0]], "f")
CORNERS = np.array([[[0, 0], [0, 8], [6, 0], [6, 8]], [[1, 0], [0, 7], [6, 1], [5, 8]]], "f")
PLACES = np.stack([_numbers.uniform(-2, n + 2, size=(5, 4)).astype("f") for n in (7, 9)])
IMAGES = [
    *(
        case("image.resize", PHOTO, (4, 5), m)
        for m in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
    ),
    case("image.resize", PHOTO, (4, 12), "bicubic", True),
    case("image.resize", BYTES, (4, 12), "bicubic"),
    case("image.resize", PHOTO[0], (4, 5)),
    case("image.resize", FIRST, (4, 5), data_format="channels_first"),
    *(case("image.resize", PHOTO, size, crop_to_aspect_ratio=True) for size in ((5, 20), (3, 9))),
    *(
        case("image.resize", PHOTO, size, pad_to_aspect_ratio=True, fill_value=0.5)
        for size in ((5, 20), (20, 5), (3, 9))
    ),
    case("image.rgb_to_grayscale", PHOTO),
    case("image.rgb_to_grayscale", BYTES),
    case("image.rgb_to_grayscale", FIRST, data_format="channels_first"),
    case("image.rgb_to_hsv", PHOTO),
    case("image.rgb_to_hsv", np.round(PHOTO)),
    case("image.rgb_to_hsv", FIRST, data_format="channels_first"),
    case("image.hsv_to_rgb", 2 * PHOTO - 0.5),
    # With channels last Keras' own window is not the Gaussian one.
    case("image.gaussian_blur", FIRST, (5, 3), (2.0, 0.7), data_format="channels_first"),
    case("image.sobel_edges", PHOTO),
    case("image.sobel_edges", FIRST, data_format="channels_first"),
    case("image.ssim", p(2, 13, 12, 3), p(2, 13, 12, 3)),
    case("image.ssim", PHOTO, PHOTO**2, 2.0, 3, 0.8),
    case("image.extract_patches", PHOTO, 2),
    case("image.extract_patches", PHOTO, (3, 2), strides=(1, 2), padding="same"),
    case("image.extract_patches", PHOTO, 2, strides=1, dilation_rate=2),
    case("image.extract_patches", FIRST, 2, data_format="channels_first"),
    case("image.extract_patches_3d", f(2, 4, 5, 6, 2), (2, 3, 1), strides=1),
    case("image.crop_images", PHOTO, 1, 2, 3, 1),
    case("image.crop_images", PHOTO, None, 2, 1, None, 4, 5),
    case("image.crop_images", FIRST, 1, 2, 3, 1, data_format="channels_first"),
    case("image.pad_images", PHOTO, 1, 2, 3, 1),
    case("image.pad_images", PHOTO, None, 2, 1, None, 12, 15),
    *(
        case("image.affine_transform", PHOTO, AFFINE, "bilinear", m, 0.5)
        for m in ("constant", "wrap", "reflect")
    ),
    case("image.affine_transform", FIRST, AFFINE, "nearest", data_format="channels_first"),
    case("image.affine_transform", PHOTO[0], AFFINE[0]),
    *(
        case("image.map_coordinates", PHOTO[0, :, :, 0], PLACES, order, m, 0.5)
        for order, m in (
            (0, "constant"),
            (1, "constant"),
            (1, "reflect"),
            (0, "wrap"),
            (1, "mirror"),
        )
    ),
    case("image.map_coordinates", BYTES[0, :, :, 0], PLACES, 1),
    case("image.perspective_transform", PHOTO, CORNERS, CORNERS + 0.4 * f(2, 4, 2)),
    case("image.perspective_transform", PHOTO[0], CORNERS[0], CORNERS[1], "nearest", 0.3),
    case(
        "image.scale_and_translate",
        PHOTO,
        (2, 5, 4, 3),
        np.array([0.7, 0.6], "f"),
        np.array([0.5, -1], "f"),
        (1, 2),
        "linear",
    ),
]
