// The gradients before a sigmoid and before a hyperbolic tangent, as recurrent cells take them.
#pragma once

#include "vector.h"

namespace slipstream {

// The gradient for x, given that for y = sigmoid(x) or y = hyperbolic_tangent(x), and y.
SLIPSTREAM_INLINE Wide before_gate(Wide gradient, Wide y) { return gradient * y * (1.0f - y); }
SLIPSTREAM_INLINE Wide before_tangent(Wide gradient, Wide y) { return gradient * (1.0f - y * y); }

}  // namespace slipstream
