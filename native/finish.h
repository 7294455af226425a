// What happens to a sum before it is stored: it is multiplied by a number of its column's, another
// one is added, and what lies beyond two ends becomes the nearer one.
#pragma once

#include <limits>

#include "handler.h"

namespace slipstream {

// What happens to sums of the columns of a vector: no choices are left, so that it takes three
// instructions. NaN stays NaN.
template <class V>
struct Ending {
  V scale, bias, low, high;

  SLIPSTREAM_INLINE V operator()(V sums) const {
    return minimum(high, maximum(low, sums * scale + bias));
  }
};

struct Finish {
  // A number for each column, and as many more as a panel may read; null if there are none.
  const float *scale = nullptr, *bias = nullptr;
  float top = -1.0f;  // results lie between 0 and this; if it is negative, they are as they come

  bool some() const { return top >= 0.0f || scale != nullptr || bias != nullptr; }
  Finish from(int64_t column) const {
    return {scale == nullptr ? nullptr : scale + column, bias == nullptr ? nullptr : bias + column,
            top};
  }

  // For the columns from this one on.
  template <class V>
  SLIPSTREAM_INLINE Ending<V> at(int64_t column) const {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const bool cut = top >= 0.0f;
    return {scale == nullptr ? splat<V>(1.0f) : load<V>(scale + column),
            bias == nullptr ? V{} : load<V>(bias + column), splat<V>(cut ? 0.0f : -infinity),
            splat<V>(cut ? top : infinity)};
  }
};

// Numbers of all columns, none if there are none, repeated to `length` and as many as may be read.
template <class T>
const float* repeated(const Array& numbers, int64_t length, Scratch& scratch) {
  const int64_t count = numbers.element_count(), whole = length + 2 * kLanes;
  if (count == 0) return nullptr;
  const T* const from = static_cast<const T*>(numbers.untyped_data());
  float* const to = scratch.get(whole);
  for (int64_t i = 0; i < whole; ++i) to[i] = to_float(from[i % count]);
  return to;
}

// Lasts until this thread's next one.
template <class T>
Finish finish_of(const Array& scale, const Array& bias, int64_t length, float top) {
  static thread_local Scratch scales, biases;
  return {repeated<T>(scale, length, scales), repeated<T>(bias, length, biases), top};
}

}  // namespace slipstream
