// Sigmoid and hyperbolic tangent as recurrent cells use them, and the gradients before them.
#pragma once

#include <cstring>

#include "vector.h"

namespace slipstream {

// e^x - 1 to about 3 units in the last place, x bounded to where 2^(x / ln 2) is a float: 2^n - 1
// and 2^n times a polynomial for the rest, as in `exponential`. No difference of nearly equal
// numbers is left, so tanh needs no second form near 0. NaN stays NaN.
SLIPSTREAM_INLINE Wide exponential_less_one(Wide x) {
  typedef typename VectorOf<kLanes>::Bits Bits;
  const Wide low = splat<Wide>(-87.0f), high = splat<Wide>(87.0f);
  x = high < x ? high : x;
  x = low > x ? low : x;
  const Wide magic = splat<Wide>(12582912.0f + 127.0f);  // leaves n + 127 in the lowest bits
  const Wide shifted = x * 1.44269504f + magic, whole = shifted - magic;
  const Wide rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Wide y = rest * 1.9875691500e-4f + 1.3981999507e-3f;
  y = y * rest + 8.3334519073e-3f;
  y = y * rest + 4.1665795894e-2f;
  y = y * rest + 1.6666665459e-1f;
  y = y * rest + 5.0000001201e-1f;
  y = y * (rest * rest) + rest;
  Bits bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits <<= 23;
  Wide power;
  std::memcpy(&power, &bits, sizeof power);
  return y * power + (power - 1.0f);
}

SLIPSTREAM_INLINE Wide gate(Wide x) { return 1.0f / (2.0f + exponential_less_one(-x)); }

SLIPSTREAM_INLINE Wide tangent(Wide x) {
  const Wide grown = exponential_less_one(x + x);
  return grown / (grown + 2.0f);
}

// The gradient for x, given that for y = gate(x) or y = tangent(x), and y.
SLIPSTREAM_INLINE Wide before_gate(Wide gradient, Wide y) { return gradient * y * (1.0f - y); }
SLIPSTREAM_INLINE Wide before_tangent(Wide gradient, Wide y) { return gradient * (1.0f - y * y); }

}  // namespace slipstream
