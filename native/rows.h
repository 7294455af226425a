// Loops along the rows of a matrix, a few rows at once.
#pragma once

#include <type_traits>

#include "vector.h"

namespace slipstream {

constexpr int kRows = 4;  // worked on at once: one's sums are added while another's are loaded
using Whole = std::integral_constant<int64_t, kLanes>;

template <class T>
SLIPSTREAM_INLINE Wide take(const T* from, Whole, float = 0.0f) {
  return load<Wide>(from);
}
template <class T>
SLIPSTREAM_INLINE Wide take(const T* from, int64_t count, float rest = 0.0f) {
  return load_first<Wide>(from, count, rest);
}
template <class T>
SLIPSTREAM_INLINE void put(T* to, Wide v, Whole) {
  store(to, v);
}
template <class T>
SLIPSTREAM_INLINE void put(T* to, Wide v, int64_t count) {
  store_first(to, v, count);
}

// Calls body(j, count) for the vectors of a row.
template <class Body>
SLIPSTREAM_INLINE void along(int64_t length, const Body& body) {
  int64_t j = 0;
  for (; j + kLanes <= length; j += kLanes) body(j, Whole{});
  if (j < length) body(j, length - j);
}

// Calls body(first, rows) for rows [begin, end), where `rows` is a constant: kRows or 1.
template <class Body>
SLIPSTREAM_INLINE void by_rows(int64_t begin, int64_t end, const Body& body) {
  for (; begin + kRows <= end; begin += kRows) body(begin, std::integral_constant<int, kRows>{});
  for (; begin < end; ++begin) body(begin, std::integral_constant<int, 1>{});
}

}  // namespace slipstream
