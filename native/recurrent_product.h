// Products of states with a recurrent kernel that is packed once for all steps.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel.h"
#include "tile.h"

namespace slipstream {

// One row times a panel: several sums of every fourth product hide the adds' latency.
template <class V, int VECTORS>
void multiply_one(const float* row, int64_t depth, const float* matrix, const Panel& panel,
                  float* target) {
  constexpr int lanes = kSize<V>, width = VECTORS * lanes, apart = 4;
  V sums[apart][VECTORS] = {};
  int64_t k = 0;
  for (; k + apart <= depth; k += apart)
    SLIPSTREAM_UNROLL for (int i = 0; i < apart; ++i)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v)
        sums[i][v] += row[k + i] * load<V>(matrix + (k + i) * width + v * lanes);
  for (; k < depth; ++k)
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v)
      sums[0][v] += row[k] * load<V>(matrix + k * width + v * lanes);
  SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v)
    store_first(target + panel.first + v * lanes,
                (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]), panel.count - v * lanes);
}

// The kernel or a part of it, packed; number (k, j) is at source[k * row + j * column].
class RecurrentKernel {
 public:
  template <class T>
  __attribute__((noinline)) RecurrentKernel(Threads& threads, int64_t depth, int64_t columns,
                                            Scratch& scratch, const T* source, int64_t row,
                                            int64_t column)
      : depth_(depth), panels_(panels_of(columns)), runs_{{0, depth}} {
    const int64_t width = packed_columns(panels_);
    float* const packed = scratch.get(width * depth);
    parallel_ranges(threads, depth, 32768 / (width + 1) + 1, [&](int64_t begin, int64_t end) {
      if (column == 1)  // said apart, so that it is copied by vectors
        pack(panels_, depth, begin, end, packed,
             [&](int64_t k, int64_t j) { return to_float(source[k * row + j]); });
      else
        pack(panels_, depth, begin, end, packed,
             [&](int64_t k, int64_t j) { return to_float(source[k * row + j * column]); });
    });
    packed_ = packed;
  }

  __attribute__((noinline)) void multiply_rows(const Rows<float>& rows) const {
    if (rows.count > 1) return multiply(rows, runs_, depth_, panels_, packed_);
    const float* const row = rows.source + rows.from[0];
    float* const target = rows.target + rows.to[0];
    for (const Panel& panel : panels_) {
      const float* const matrix = packed_ + panel.packed * depth_;
      with_vectors(panel, [&](auto vector, auto vectors) {
        multiply_one<decltype(vector), vectors()>(row, depth_, matrix, panel, target);
      });
    }
  }

 private:
  int64_t depth_;
  std::vector<Panel> panels_;
  std::vector<Run> runs_;
  const float* packed_;
};

}  // namespace slipstream
