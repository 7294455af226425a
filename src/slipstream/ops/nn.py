"""Operations of neural networks, under Keras' names."""
# ruff: noqa: F401, I001
# fmt: off

from slipstream.ops.activation import (
    celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh, leaky_relu,
    log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax,
    softplus, softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, swish, tanh_shrink,
    threshold,
)
from slipstream.ops.attention import dot_product_attention
from slipstream.ops.convolution import (
    adaptive_average_pool, adaptive_max_pool, average_pool, conv, conv_transpose, depthwise_conv,
    max_pool, separable_conv,
)
from slipstream.ops.crossentropy import (
    binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy,
)
from slipstream.ops.ctc import ctc_decode, ctc_loss
from slipstream.ops.encoding import multi_hot, normalize, one_hot, psnr
from slipstream.ops.normalization import (
    batch_normalization, layer_normalization, rms_normalization,
)
from slipstream.ops.patches import depth_to_space, fold, space_to_depth, unfold
from slipstream.ops.reductions import moments
from slipstream.ops.signal import polar
