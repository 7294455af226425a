// What happens to a sum before it is stored: a bias is added, negative numbers become zero.
#pragma once

#include "handler.h"

namespace slipstream {

struct Finish {
  const float* bias = nullptr;  // a number for each column, and as many more as a panel may read
  bool relu = false;

  bool some() const { return relu || bias != nullptr; }
  Finish from(int64_t column) const { return {bias == nullptr ? nullptr : bias + column, relu}; }

  // Sums of the columns from this one on. NaN stays NaN.
  template <class V>
  SLIPSTREAM_INLINE V operator()(V sums, int64_t column) const {
    if (bias != nullptr) sums += load<V>(bias + column);
    return relu ? (sums < 0.0f ? V{} : sums) : sums;
  }
};

// A bias of so many columns, none for 0, repeated to `length` numbers.
template <class T>
Finish finish_of(const T* bias, int64_t columns, int64_t length, bool relu, Scratch& scratch) {
  if (columns == 0) return {nullptr, relu};
  const int64_t whole = length + 2 * kLanes;
  float* const numbers = scratch.get(whole);
  for (int64_t i = 0; i < whole; ++i) numbers[i] = to_float(bias[i % columns]);
  return {numbers, relu};
}

}  // namespace slipstream
