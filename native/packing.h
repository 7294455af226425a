// How a matrix that rows are multiplied with, or its transpose, is laid into panels.
#pragma once

#include <cstring>

#include "tile.h"

namespace slipstream {

struct Product {
  int64_t rows, depth, columns;
  bool transposed;  // w is (columns, depth)
};

// Four rows of four numbers as four columns.
SLIPSTREAM_INLINE void turn(const float* from, int64_t step, float* to, int64_t to_step) {
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
  w += panel.first * p.depth;
  if (panel.count < width) std::memset(to, 0, p.depth * width * sizeof(float));
  int64_t k = 0;
  for (; k + 4 <= p.depth; k += 4) {
    int64_t j = 0;
    for (; j + 4 <= panel.count; j += 4)
      turn(w + j * p.depth + k, p.depth, to + k * width + j, width);
    for (; j < panel.count; ++j)
      for (int64_t i = k; i < k + 4; ++i) to[i * width + j] = w[j * p.depth + i];
  }
  for (; k < p.depth; ++k)
    for (int64_t j = 0; j < panel.count; ++j) to[k * width + j] = w[j * p.depth + k];
}

}  // namespace slipstream
