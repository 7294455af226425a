"""Operations on arrays and on symbolic tensors, under NumPy's and Keras' names."""
# ruff: noqa: F401, F403, I001
# fmt: off

import slipstream.core
from slipstream.ops import image, linalg, nn, numpy
from slipstream.ops.casting import (
    cast, convert_to_numpy, convert_to_tensor, dtype, is_tensor, saturate_cast, shape,
    stop_gradient,
)
from slipstream.ops.control import (
    associative_scan, cond, custom_gradient, fori_loop, map, scan, switch, vectorized_map,
    while_loop,
)
from slipstream.ops.einops import rearrange
from slipstream.ops.elementwise import erf, erfc, erfinv, rsqrt
from slipstream.ops.indexing import scatter, scatter_update, slice, slice_update
from slipstream.ops.linalg import (
    cholesky, cholesky_inverse, det, eig, eigh, inv, jvp, logdet, lstsq, lu_factor, matrix_rank,
    norm, pinv, qr, solve, solve_triangular, svd,
)
from slipstream.ops.nn import *
from slipstream.ops.numpy import *
from slipstream.ops.products import cdist
from slipstream.ops.reductions import logsumexp
from slipstream.ops.segments import segment_max, segment_min, segment_prod, segment_sum
from slipstream.ops.shaping import unstack
from slipstream.ops.signal import (
    extract_sequences, fft, fft2, ifft2, irfft, istft, rfft, stft, view_as_complex, view_as_real,
)
from slipstream.ops.sorting import in_top_k, top_k
