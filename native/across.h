// Products whose left matrix is read along its rows: sum over k of a[k][i] * b[k][j].
//
// This is the gradient of a matrix that rows were multiplied with. The left matrix stays where it
// is; the right one is packed into panels (tile.h).
#pragma once

#include <type_traits>

#include "tile.h"

namespace slipstream {

// PACKED are tiles of `a` and panels of `b` whose rows follow each other without a gap.
template <class V, int VECTORS, int ROWS, bool PACKED = false>
SLIPSTREAM_INLINE void across_tile(const float* a, int64_t step, const float* b, int64_t b_step,
                                   int64_t depth, float* to, int64_t to_step, int64_t count,
                                   bool fresh, const Finish& finish = {}) {
  constexpr int lanes = kSize<V>;
  if (PACKED) step = ROWS, b_step = VECTORS * lanes;
  V sums[ROWS][VECTORS];
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) sums[r][v] = V{};
  for (int64_t k = 0; k < depth; ++k, a += step, b += b_step) {
    V column[VECTORS];
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) column[v] = load<V>(b + v * lanes);
    if (!PACKED) __builtin_prefetch(a + 16 * step);
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) sums[r][v] += a[r] * column[v];
  }
  // What was there is loaded before anything is stored: a part of a vector that is loaded right
  // behind a stored one waits for it, though they share no number.
  const bool whole = count == VECTORS * lanes;
  if (!fresh)
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) {
        const float* const at = to + r * to_step + v * lanes;
        const int64_t left = count - v * lanes;
        if (whole)
          sums[r][v] += load<V>(at);
        else if (left > 0)
          sums[r][v] += load_first<V>(at, left);
      }
  if (finish.some())
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) {
      const Ending<V> ending = finish.at<V>(v * lanes);
      SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) sums[r][v] = ending(sums[r][v]);
    }
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r, to += to_step)
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) {
      const int64_t left = count - v * lanes;
      if (whole)
        store(to + v * lanes, sums[r][v]);
      else if (left > 0)
        store_first(to + v * lanes, sums[r][v], left);
    }
}

template <class V, int VECTORS, int ROWS>
void across_panel(const float* a, int64_t step, int64_t rows, const float* b, int64_t b_step,
                  int64_t depth, float* to, int64_t to_step, int64_t count, bool fresh,
                  const Finish& finish = {}) {
  for (; rows >= ROWS; rows -= ROWS, a += ROWS, to += ROWS * to_step)
    across_tile<V, VECTORS, ROWS>(a, step, b, b_step, depth, to, to_step, count, fresh, finish);
  constexpr int less = ROWS > 8 ? 8 : ROWS > 4 ? 4 : ROWS / 2;
  if constexpr (less > 0)
    if (rows > 0)
      across_panel<V, VECTORS, less>(a, step, rows, b, b_step, depth, to, to_step, count, fresh,
                                     finish);
}

// to[i][j] = or += sum over k < depth of a[k * step + i] * b[k * b_step + j], for i < rows and the
// columns j of a panel, from `to` on. `b` has the panel's whole width.
inline void across(const float* a, int64_t step, int64_t rows, const Panel& panel, const float* b,
                   int64_t b_step, int64_t depth, float* to, int64_t to_step, bool fresh) {
  with_vectors(panel, [&](auto vector, auto vectors) {
    across_panel<decltype(vector), vectors(), kTileRows<vectors()>>(
        a, step, rows, b, b_step, depth, to, to_step, panel.count, fresh);
  });
}

// A row of a panel, zeros to its width.
template <class T>
SLIPSTREAM_INLINE void pack_row(const T* row, const Panel& panel, float* to) {
  int64_t j = 0;
  for (; j + kLanes <= panel.count; j += kLanes) store(to + j, load<Wide>(row + j));
  for (; j + 4 <= panel.count; j += 4) store(to + j, load<Vector<4>>(row + j));
  for (; j < panel.count; ++j) to[j] = to_float(row[j]);
  for (; j < panel.width; ++j) to[j] = 0.0f;
}

// Lays rows [0, depth) of a matrix with `step` numbers a row into panels [begin, end), which begin
// at `to`. Row after row, as they lie in memory.
template <class T>
void pack_panels(const T* from, int64_t step, int64_t depth, const Panel* begin, const Panel* end,
                 float* to) {
  constexpr int64_t ahead = 8, line = 64 / sizeof(T);  // rows, and numbers of a cache line
  for (int64_t k = 0; k < depth; ++k, from += step)
    for (const Panel* panel = begin; panel != end; ++panel) {
      for (int64_t j = 0; j < panel->width; j += line)
        __builtin_prefetch(from + ahead * step + panel->first + j);
      pack_row(from + panel->first, *panel,
               to + (panel->packed - begin->packed) * depth + k * panel->width);
    }
}

}  // namespace slipstream
