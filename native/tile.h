// Products of many rows with one matrix, in tiles that stay in registers.
//
// A row is a list of runs of numbers at some place of a source; the windows of a convolution, the
// rows of a matrix and the taps of a gradient are all of this kind. The matrix is packed into
// panels, so that the innermost loop reads it in order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "finish.h"
#include "vector.h"

namespace slipstream {

// Numbers of a row that lie side by side, `offset` floats from where the row begins, and the
// matrix's row that the first of them meets.
struct Run {
  int64_t offset;
  int64_t length;
  int64_t row = 0;
};

// Columns [first, first + count) of a matrix, widened with zeros to `width`.
struct Panel {
  int64_t first;
  int64_t count;
  int64_t width;
  int64_t packed;  // where it begins in the packed matrix, in columns
};

// Rows of a tile of so many vectors: as many as registers hold beside the operands.
template <int VECTORS>
inline constexpr int kTileRows = (kRegisters - VECTORS - 2) / VECTORS > 12
                                     ? 12
                                     : (kRegisters - VECTORS - 2) / VECTORS;

// The fewest panels whose widths are whole vectors: two, one, a half or four lanes.
inline std::vector<Panel> panels_of(int64_t columns) {
  std::vector<Panel> panels;
  int64_t packed = 0;
  for (int64_t first = 0; first < columns;) {
    const int64_t left = columns - first;
    int64_t width = 2 * kLanes;
    while (width > 4 && left <= width / 2) width /= 2;
    if (width == 2 * kLanes && left < width) width = kLanes;
    const int64_t count = std::min(left, width);
    panels.push_back({first, count, width, packed});
    first += count;
    packed += width;
  }
  return panels;
}

inline int64_t packed_columns(const std::vector<Panel>& panels) {
  return panels.empty() ? 0 : panels.back().packed + panels.back().width;
}

// Calls run(vector, count) with the vectors that make up a row of a panel.
template <class Run>
SLIPSTREAM_INLINE void with_vectors(const Panel& panel, const Run& run) {
  using One = std::integral_constant<int, 1>;
  if (panel.width == 2 * kLanes)
    run(Wide{}, std::integral_constant<int, 2>{});
  else if (panel.width == kLanes)
    run(Wide{}, One{});
  else if (panel.width == 8)
    run(Vector<8>{}, One{});
  else
    run(Vector<4>{}, One{});
}

template <class V, int ROWS, int VECTORS>
SLIPSTREAM_INLINE void multiply_tile(const float* const (&rows)[ROWS], const Run* runs,
                                     int64_t run_count, const float* matrix,
                                     V (&sums)[ROWS][VECTORS]) {
  constexpr int lanes = kSize<V>;
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) sums[r][v] = V{};
  for (int64_t i = 0; i < run_count; ++i) {
    const int64_t end = runs[i].offset + runs[i].length;
    const float* numbers = matrix + runs[i].row * VECTORS * lanes;
    for (int64_t k = runs[i].offset; k < end; ++k) {
      V column[VECTORS];
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) column[v] = load<V>(numbers + v * lanes);
      numbers += VECTORS * lanes;
      SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
        SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) sums[r][v] += rows[r][k] * column[v];
    }
  }
}

// Where the rows of a product come from and go to, in numbers from `source` and `target`.
template <class T>
struct Rows {
  const float* source;
  const int64_t* from;
  T* target;
  const int64_t* to;
  int64_t count;
};

template <class V, int VECTORS, int ROWS, class T>
void multiply_rows(const Rows<T>& rows, int64_t first, const std::vector<Run>& runs,
                   const Panel& panel, const float* matrix, const Finish& finish) {
  const float* from[ROWS];
  T* to[ROWS];
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {  // rows past the last repeat it
    const int64_t row = std::min(first + r, rows.count - 1);
    from[r] = rows.source + rows.from[row];
    to[r] = rows.target + rows.to[row] + panel.first;
  }
  // The target's lines come while the sums are computed.
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) __builtin_prefetch(to[r] + v * kSize<V>, 1);
  V sums[ROWS][VECTORS];
  multiply_tile<V, ROWS, VECTORS>(from, runs.data(), runs.size(), matrix, sums);
  constexpr int lanes = kSize<V>;
  if (finish.some())
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) {
      const Ending<V> ending = finish.at<V>(panel.first + v * lanes);
      SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) sums[r][v] = ending(sums[r][v]);
    }
  if (panel.count == panel.width) {
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) store(to[r] + v * lanes, sums[r][v]);
  } else {
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v)
        store_first(to[r] + v * lanes, sums[r][v], panel.count - v * lanes);
  }
}

// Asks for the beginnings of rows before they are wanted.
template <int ROWS, class T>
__attribute__((noinline)) void fetch_rows(const Rows<T>& rows, int64_t first, const Run& run) {
  const int64_t end = std::min(first + ROWS, rows.count), length = std::min<int64_t>(64, run.length);
  for (int64_t row = first; row < end; ++row)
    for (int64_t k = 0; k < length; k += 16)
      __builtin_prefetch(rows.source + rows.from[row] + run.offset + k);
}

template <class V, int VECTORS, class T>
void multiply_panel(const Rows<T>& rows, const std::vector<Run>& runs, const Panel& panel,
                    const float* matrix, const Finish& finish = {}) {
  int64_t row = 0;
  // Tiles of so many rows while more than `above` are left.
  const auto tiles = [&](auto size, int64_t above) {
    constexpr int many = decltype(size)::value;
    for (; rows.count - row > above; row += many) {
      if (!runs.empty()) fetch_rows<many>(rows, row + many, runs[0]);
      multiply_rows<V, VECTORS, many>(rows, row, runs, panel, matrix, finish);
    }
  };
  constexpr int most = kTileRows<VECTORS>;
  tiles(std::integral_constant<int, most>{}, most * 2 / 3);
  tiles(std::integral_constant<int, most * 2 / 3>{}, most / 2);
  tiles(std::integral_constant<int, most / 2>{}, most / 3);
  tiles(std::integral_constant<int, most / 3>{}, most / 4);
  tiles(std::integral_constant<int, most / 4>{}, 0);
}

// Each row times the packed matrix, finished; `depth` numbers a row, `depth` rows of a panel.
template <class T>
void multiply(const Rows<T>& rows, const std::vector<Run>& runs, int64_t depth,
              const std::vector<Panel>& panels, const float* matrix, const Finish& finish = {}) {
  for (const Panel& panel : panels)
    with_vectors(panel, [&](auto vector, auto vectors) {
      multiply_panel<decltype(vector), vectors()>(rows, runs, panel, matrix + panel.packed * depth,
                                                  finish);
    });
}

// Lays rows [begin, end) of a matrix into panels of `depth` rows; at(k, j) is its number there.
template <class At>
void pack(const std::vector<Panel>& panels, int64_t depth, int64_t begin, int64_t end,
          float* packed, const At& at) {
  for (const Panel& panel : panels)
    for (int64_t k = begin; k < end; ++k) {
      float* row = packed + panel.packed * depth + k * panel.width;
      for (int64_t j = 0; j < panel.count; ++j) row[j] = at(k, panel.first + j);
      for (int64_t j = panel.count; j < panel.width; ++j) row[j] = 0.0f;
    }
}

}  // namespace slipstream
