// The least and the greatest value of a pixel.
#pragma once

#include "vector.h"

namespace slipstream {

// How a pixel, or a vector of them, becomes 0 to 255 and back.
struct Ends {
  float low, high;

  bool bytes() const { return low == 0.0f && high == 255.0f; }
  template <class V>
  SLIPSTREAM_INLINE V to_bytes(V x) const {
    return (x - low) * (255.0f / (high - low));
  }
  template <class V>
  SLIPSTREAM_INLINE V from_bytes(V x) const {
    return x * ((high - low) / 255.0f) + low;
  }
};

// Comparisons choose the second where there is NaN, so that it stays.
SLIPSTREAM_INLINE Wide clip(Wide x, float low, float high) {
  const Wide least = low - Wide{}, most = high - Wide{};
  return minimum(most, maximum(least, x));
}

}  // namespace slipstream
