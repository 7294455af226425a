// Sigmoid and hyperbolic tangent as recurrent cells use them, and the gradients before them.
#pragma once

#include "vector.h"

namespace slipstream {

// No difference of nearly equal numbers is left in either, so tanh needs no second form near 0. Near
// 1 it may be a unit off in the last place, where the slower `hyperbolic_tangent` is exact.
SLIPSTREAM_INLINE Wide gate(Wide x) { return 1.0f / (2.0f + exponential_less_one(-x)); }

SLIPSTREAM_INLINE Wide tangent(Wide x) {
  const Wide grown = exponential_less_one(x + x);
  return grown / (grown + 2.0f);
}

// The gradient for x, given that for y = gate(x) or y = tangent(x), and y.
SLIPSTREAM_INLINE Wide before_gate(Wide gradient, Wide y) { return gradient * y * (1.0f - y); }
SLIPSTREAM_INLINE Wide before_tangent(Wide gradient, Wide y) { return gradient * (1.0f - y * y); }

}  // namespace slipstream
