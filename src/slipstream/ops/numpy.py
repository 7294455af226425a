"""NumPy's operations, under Keras' names."""
# ruff: noqa: F401, I001
# fmt: off

from slipstream.ops.arithmetic import (
    add, arctan2, divide, divide_no_nan, floor_divide, fmax, fmin, fmod, gcd, heaviside, hypot,
    lcm, ldexp, logaddexp, logaddexp2, maximum, minimum, mod, multiply, nextafter, power,
    subtract, true_divide,
)
from slipstream.ops.casting import array, ndim, size, view
from slipstream.ops.control import vectorize
from slipstream.ops.creation import (
    arange, bartlett, blackman, empty, empty_like, eye, full, full_like, geomspace, hamming,
    hanning, identity, kaiser, linspace, logspace, ones, ones_like, tri, zeros, zeros_like,
)
from slipstream.ops.elementwise import (
    abs, absolute, angle, arccos, arccosh, arcsin, arcsinh, arctan, arctanh, cbrt, ceil, clip,
    conj, conjugate, copy, cos, cosh, deg2rad, exp, exp2, expm1, fabs, floor, i0, imag, isfinite,
    isinf, isnan, isneginf, isposinf, isreal, log, log10, log1p, log2, nan_to_num, negative,
    rad2deg, real, reciprocal, round, sign, signbit, sin, sinc, sinh, sqrt, square, tan, tanh,
    trunc,
)
from slipstream.ops.indexing import (
    get_item, nonzero, select, take, take_along_axis, unravel_index, where,
)
from slipstream.ops.linalg import slogdet
from slipstream.ops.logic import (
    allclose, bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or,
    bitwise_right_shift, bitwise_xor, equal, greater, greater_equal, isclose, isin, left_shift,
    less, less_equal, logical_and, logical_not, logical_or, logical_xor, not_equal, right_shift,
)
from slipstream.ops.matrices import diag, diagflat, diagonal, trace, tril, triu, vander
from slipstream.ops.products import (
    corrcoef, correlate, cross, dot, einsum, inner, kron, matmul, outer, tensordot, vdot,
)
from slipstream.ops.reductions import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, cumprod, cumsum, max, mean,
    median, min, nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin,
    nanpercentile, nanprod, nanquantile, nanstd, nansum, nanvar, percentile, prod, ptp, quantile,
    std, sum, trapezoid, var,
)
from slipstream.ops.shaping import (
    append, array_split, broadcast_to, concatenate, dsplit, dstack, expand_dims, flip, fliplr,
    flipud, hsplit, hstack, meshgrid, moveaxis, pad, ravel, repeat, reshape, roll, rot90, split,
    squeeze, stack, swapaxes, tile, transpose, vsplit, vstack,
)
from slipstream.ops.sorting import (
    argpartition, argsort, bincount, diff, digitize, histogram, searchsorted, sort, unique,
)
