// What a convolution of each channel by itself has in common with its gradients.
//
//   y[n, p, c * M + m] = sum over taps k of x[n, p * stride + k * dilation - low, c] * w[k, c, m]
//
// Vectors run along the channels and a tile holds several positions, so that a weight is loaded
// once for all of them. Plain arrays are read where they lie; where channels are few, or have
// several filters each (M > 1), copies are (depthwise_frame.h).
#pragma once

#include <algorithm>
#include <type_traits>

#include "windows.h"

namespace slipstream {

struct Depthwise {
  Windows windows;
  int64_t channels, multiplier;

  int64_t filters() const { return channels * multiplier; }
  int64_t taps() const { return volume(windows.window); }
  // Few channels fill no vector, and repeated ones are nowhere side by side.
  bool plain() const { return multiplier == 1 && channels >= std::min(8, kLanes); }
};

inline Depthwise depthwise_of(const Array& x, const Array& kernel, const Array& y, Numbers stride,
                              Numbers dilation, Numbers low, int64_t channels) {
  const auto ks = kernel.dimensions();
  return {windows_of(x, y, {ks[0], ks[1], ks[2]}, stride, dilation, low), channels,
          ks[4] / channels};
}

template <int N>
using Count = std::integral_constant<int, N>;

// Calls body(V{}) with vectors that the channels of plain arrays, or the rows of frames, fill.
template <class Body>
void with_vectors(int64_t row, const Body& body) {
  if (row >= kLanes)
    body(Wide{});
  else
    body(Vector<std::min(8, kLanes)>{});
}

// The first number of each vector of a row; the last vector may begin before the others end.
template <class V>
SLIPSTREAM_INLINE int64_t vector_at(int64_t i, int64_t row) {
  return std::min(i * kSize<V>, row - kSize<V>);
}
template <class V>
int64_t whole(int64_t row) {
  return divide_up(row, kSize<V>) * kSize<V>;
}

// Parts that `items` are shared out in: at most `each` for a thread, and none of little work.
inline int64_t parts_of(Threads& threads, const Depthwise& d, const Plan& plan, int64_t items,
                        int64_t each) {
  const int64_t work = d.windows.batch * volume(plan.target) * d.filters() * d.taps();
  return std::max<int64_t>(1, std::min({items, work / 32768, each * thread_count(threads)}));
}

inline int64_t stretches_of(const Depthwise& d, const Plan& plan) {
  return d.windows.batch * plan.lines() * plan.segments.size();
}

// Calls body(part, stretch) for all stretches of plain arrays.
template <class Body>
void for_plain(Threads& threads, const Depthwise& d, const Plan& plan, int64_t parts,
               const Body& body) {
  const int64_t all = stretches_of(d, plan);
  parallel_for(threads, parts, [&](int64_t part) {
    for_stretches(plan, d.channels, d.channels, part * all / parts, (part + 1) * all / parts,
                  [&](const Stretch& stretch) { body(part, stretch); });
  });
}

}  // namespace slipstream
