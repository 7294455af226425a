// The product of two large matrices that lie row after row, the left one turned:
//   to[i][j] = sum over k of a[k][i] * b[k][j]
//
// Blocks of both are packed, so that the innermost loop reads both in order. A task has some
// columns for a block of rows; a thread keeps its packed rows for the next task of the same block.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "across.h"
#include "parallel.h"

namespace slipstream {

constexpr int kTall = kTileRows<2>;  // rows of a tile
constexpr int64_t kPiece = 512;      // numbers of a sum that are added at once
constexpr int64_t kBlock = 384;      // rows of a block, which stay packed in the second cache
constexpr int64_t kGroup = 4;        // panels of a task, fewer where tasks would be few

// Tiles of the columns [0, columns) of a matrix with `step` numbers a row, zeros after them.
template <class T>
void pack_tiles(const T* from, int64_t step, int64_t columns, int64_t depth, float* to) {
  constexpr int together = kTall % 4 == 0 ? 4 : 2;
  for (int64_t k = 0; k < depth; ++k, from += step) {
    float* tile = to + k * kTall;
    int64_t first = 0;
    for (; first + kTall <= columns; first += kTall, tile += kTall * depth)
      for (int r = 0; r < kTall; r += together)
        store(tile + r, load<Vector<together>>(from + first + r));
    if (first < columns)
      for (int64_t r = 0; r < kTall; ++r)
        tile[r] = first + r < columns ? to_float(from[first + r]) : 0.0f;
  }
}

// The tiles of a block times a panel, stored or added.
template <class V, int VECTORS>
void multiply_tiles(const float* tiles, int64_t rows, const float* panel, int64_t depth, float* to,
                    int64_t step, int64_t count, bool fresh) {
  constexpr int64_t width = VECTORS * kSize<V>;
  for (; rows > 0; rows -= kTall, tiles += kTall * depth, to += kTall * step) {
    for (int64_t r = 0; r < std::min<int64_t>(kTall, rows); ++r)
      for (int64_t j = 0; j < width; j += 16) __builtin_prefetch(to + r * step + j, 1);
    if (rows >= kTall) {
      across_tile<V, VECTORS, kTall, true>(tiles, kTall, panel, width, depth, to, step, count, fresh);
    } else {
      across_panel<V, VECTORS, (kTall + 1) / 2>(tiles, kTall, rows, panel, width, depth, to, step,
                                                count, fresh);
    }
  }
}

// Sums of `depth` numbers, the same whatever the number of threads.
template <class Pool, class T>
void gemm(Pool& threads, const T* a, int64_t rows, const T* b, int64_t columns, int64_t depth,
          float* to) {
  static std::atomic<int64_t> packings{0};
  const std::vector<Panel> panels = panels_of(columns);
  const int64_t panel_count = static_cast<int64_t>(panels.size());
  const int64_t pieces = (depth + kPiece - 1) / kPiece, piece = (depth + pieces - 1) / pieces;
  int64_t blocks = (rows + kBlock - 1) / kBlock;
  const int64_t block = ((rows + blocks - 1) / blocks + kTall - 1) / kTall * kTall;
  blocks = (rows + block - 1) / block;
  int64_t group = kGroup;
  const auto groups = [&] { return (panel_count + group - 1) / group; };
  while (group > 1 && blocks * groups() < 3 * thread_count(threads)) group /= 2;
  for (int64_t begin = 0; begin < depth; begin += piece) {
    const int64_t deep = std::min(piece, depth - begin);
    const int64_t packing = packings.fetch_add(blocks);
    parallel_for(threads, blocks * groups(), [&](int64_t task) {
      static thread_local Scratch tile_packing, panel_packing;
      static thread_local int64_t packed = -1;  // the block that this thread has packed last
      const int64_t index = task / groups(), first = index * block;
      const int64_t some = std::min(block, rows - first);
      const Panel* const begin_panel = &panels[task % groups() * group];
      const Panel* const end_panel = std::min(begin_panel + group, panels.data() + panel_count);
      const int64_t wide = end_panel[-1].packed + end_panel[-1].width - begin_panel->packed;
      float* const tiles = tile_packing.get(block * deep);
      float* const packed_panels = panel_packing.get(wide * deep);
      if (packed != packing + index) pack_tiles(a + begin * rows + first, rows, some, deep, tiles);
      packed = packing + index;
      pack_panels(b + begin * columns, columns, deep, begin_panel, end_panel, packed_panels);
      for (const Panel* panel = begin_panel; panel != end_panel; ++panel)
        with_vectors(*panel, [&](auto vector, auto vectors) {
          multiply_tiles<decltype(vector), vectors()>(
              tiles, some, packed_panels + (panel->packed - begin_panel->packed) * deep, deep,
              to + first * columns + panel->first, columns, panel->count, begin == 0);
        });
    });
  }
}

}  // namespace slipstream
