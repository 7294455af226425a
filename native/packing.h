// How a matrix that rows are multiplied with, or its transpose, is laid into panels.
#pragma once

#include <cstring>
#include <type_traits>

#include "tile.h"

namespace slipstream {

struct Product {
  int64_t rows, depth, columns;
  bool transposed;  // w is (columns, depth)
};

// Four rows of four numbers as four columns.
SLIPSTREAM_INLINE void turn(Vector<4>, const float* from, int64_t step, float* to,
                            int64_t to_step) {
  typedef Vector<4> Four;
  const Four a = load<Four>(from), b = load<Four>(from + step), c = load<Four>(from + 2 * step),
             d = load<Four>(from + 3 * step);
  const Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(to, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
  store(to + to_step, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
  store(to + 2 * to_step, __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5));
  store(to + 3 * to_step, __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7));
}

// Eight rows, the latter four of which a load puts beside the former.
SLIPSTREAM_INLINE void turn(Vector<8>, const float* from, int64_t step, float* to,
                            int64_t to_step) {
  const auto both = [&](int64_t row) {
    return __builtin_shufflevector(load<Vector<4>>(from + row * step),
                                   load<Vector<4>>(from + (row + 4) * step), 0, 1, 2, 3, 4, 5, 6, 7);
  };
  const Vector<8> a = both(0), b = both(1), c = both(2), d = both(3);
  const Vector<8> ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
  const Vector<8> cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
  const Vector<8> ab2 = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  const Vector<8> cd2 = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  store(to, __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13));
  store(to + to_step, __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15));
  store(to + 2 * to_step, __builtin_shufflevector(ab2, cd2, 0, 1, 8, 9, 4, 5, 12, 13));
  store(to + 3 * to_step, __builtin_shufflevector(ab2, cd2, 2, 3, 10, 11, 6, 7, 14, 15));
}

// Some columns of a matrix, a vector of them a row; lanes after the last of them are zero.
template <class V>
void copy_columns(const float* from, int64_t step, int64_t rows, int64_t count, float* to,
                  int64_t to_step) {
  const auto copy = [&](const auto& read) {
    for (int64_t k = 0; k < rows; ++k, from += step, to += to_step) {
      __builtin_prefetch(from + 8 * step);
      store(to, read(from));
    }
  };
  if (count >= kSize<V>)
    copy([](const float* at) { return load<V>(at); });
  else
    copy([&](const float* at) { return load_first<V>(at, count); });
}

// Rows [0, count) of a matrix, `depth` numbers of each, as columns: `width` numbers a row, zeros
// after the last. A few rows' numbers of one cache line at a time, as rows may lie a power of two
// apart.
template <class T>
void pack_turned(const T* rows, int64_t step, int64_t count, int64_t depth, float* to,
                 int64_t width) {
  constexpr int64_t line = 64 / sizeof(T), few = 4;
  [[maybe_unused]] const auto turn_rows = [&](auto vector, int64_t& j, int64_t begin, int64_t end) {
    constexpr int64_t some = kSize<decltype(vector)>;
    for (; j + some <= count; j += some) {
      for (int64_t i = 0; i < some; ++i) __builtin_prefetch(rows + (j + 12 + i) * step + begin);
      int64_t k = begin;
      for (; k + few <= end; k += few)
        turn(vector, rows + j * step + k, step, to + k * width + j, width);
      for (; k < end; ++k)
        for (int64_t i = j; i < j + some; ++i) to[k * width + i] = to_float(rows[i * step + k]);
    }
  };
  if (count < width) std::memset(to, 0, depth * width * sizeof(float));
  for (int64_t begin = 0; begin < depth; begin += line) {
    const int64_t end = std::min(begin + line, depth);
    int64_t j = 0;
    if constexpr (std::is_same_v<T, float>) {
      turn_rows(Vector<std::min(8, kLanes)>{}, j, begin, end);
      turn_rows(Vector<4>{}, j, begin, end);
    }
    for (; j < count; ++j)
      for (int64_t k = begin; k < end; ++k) to[k * width + j] = to_float(rows[j * step + k]);
  }
}

// A panel's columns, row after row, zeros to its width.
inline void pack_panel(const Product& p, const float* w, const Panel& panel, float* to) {
  const int64_t width = panel.width;
  if (!p.transposed) {
    const auto copy = [&](auto vector) {
      using V = decltype(vector);
      for (int64_t j = 0; j < width; j += kSize<V>)
        copy_columns<V>(w + panel.first + j, p.columns, p.depth, panel.count - j, to + j, width);
    };
    width < 8 ? copy(Vector<4>{}) : width < kLanes ? copy(Vector<8>{}) : copy(Wide{});
    return;
  }
  pack_turned(w + panel.first * p.depth, p.depth, panel.count, p.depth, to, width);
}

}  // namespace slipstream
