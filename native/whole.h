// Whole numbers near floats.
#pragma once

#include "vector.h"

namespace slipstream {

constexpr float kAllWhole = 8388608.0f;  // floats from here on have no digits after the point

// Whether a number may have digits after the point; NaN has none.
template <class V>
SLIPSTREAM_INLINE auto broken(V x) {
  return (x < kAllWhole) & (x > -kAllWhole);
}

// Of numbers that integers of 32 bits hold; of others a number of no meaning.
template <class V>
SLIPSTREAM_INLINE V small_floor(V x) {
  typedef typename VectorOf<kSize<V>>::Int Int;
  const V cut = __builtin_convertvector(__builtin_convertvector(x, Int), V);
  return cut > x ? cut - 1.0f : cut;
}

template <class V>
SLIPSTREAM_INLINE V floor(V x) {
  return broken(x) ? small_floor(x) : x;
}

// The nearest, ties to even: there the digits after the point have no place.
template <class V>
SLIPSTREAM_INLINE V nearest(V x) {
  const V far = x < 0.0f ? splat<V>(-kAllWhole) : splat<V>(kAllWhole);
  return broken(x) ? (x + far) - far : x;
}

}  // namespace slipstream
