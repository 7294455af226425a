// The product of two large matrices, finished:
//   to[i][j] = sum over k of a[i][k] * b[k][j]
//
// Blocks of both are packed, so that the innermost loop reads both in order, and rows that lie a
// power of two apart do not drive each other out of a cache. Nothing large is packed twice: where
// rows are few, each thread packs them, and a task has some columns; where they are many, columns
// are packed for all threads, and a task has some rows.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "across.h"
#include "packing.h"
#include "parallel.h"

namespace slipstream {

constexpr int kTall = kTileRows<2>;  // rows of a tile
constexpr int64_t kPiece = 512;      // numbers of a sum that are added at once
constexpr int64_t kBlock = 384;      // few rows, which stay packed in the second cache
constexpr int64_t kGroup = 4;        // panels of a task, fewer where tasks would be few
constexpr int64_t kTasks = 6;        // that many a thread, of this many rows at least and at most,
constexpr int64_t kLow = 48, kHigh = 192;  // where rows are many
constexpr int64_t kMostShared = 4096;      // columns that are packed for all threads at once

// A matrix that lies row after row, or its transpose.
template <class T>
struct Factor {
  const T* numbers;
  int64_t step;  // numbers of a row as it lies
  bool transposed;
};

// Tiles of a matrix's transpose. Of few rows each, some are packed at once, so that the matrix is
// read along its rows: lines that lie a power of two apart would drive each other out of a cache
// before the next tile wants the rest of them. From `from` on, `left` numbers of a row may be read;
// what is stored beyond a tile's row is in the next one's place, which comes after it.
template <class T>
void pack_tiles_across(const T* from, int64_t step, int64_t left, int64_t rows, int64_t depth,
                       float* to) {
  constexpr bool low = kTall < 8;
  constexpr int64_t together = low ? 8 : 1;
  constexpr int whole = low ? 8 : kTall;
  static_assert(low || kTall % 4 == 0);
  for (int64_t first = 0; first < rows; first += together * kTall, to += together * kTall * depth) {
    const int64_t end = std::min(rows, first + together * kTall);
    const T* at = from + first;
    for (int64_t k = 0; k < depth; ++k, at += step) {
      float* tile = to + k * kTall;
      const T* numbers = at;
      for (int64_t row = first; row < end; row += kTall, numbers += kTall, tile += kTall * depth) {
        if (row + kTall <= end && row + whole <= left && (!low || k + 1 < depth)) {
          if constexpr (low)
            store(tile, load<Vector<8>>(numbers));
          else
            for (int r = 0; r < kTall; r += 4) store(tile + r, load<Vector<4>>(numbers + r));
        } else {
          for (int64_t r = 0; r < kTall; ++r)
            tile[r] = row + r < end ? to_float(numbers[r]) : 0.0f;
        }
      }
    }
  }
}

// Rows [0, rows) and columns [0, depth) of `a` as tiles: the rows' numbers of one column side by
// side, zeros after the last row.
template <class T>
void pack_tiles(const Factor<T>& a, int64_t row, int64_t column, int64_t rows, int64_t depth,
                float* to) {
  if (a.transposed)
    return pack_tiles_across(a.numbers + column * a.step + row, a.step, a.step - row, rows, depth,
                             to);
  for (int64_t first = 0; first < rows; first += kTall, to += kTall * depth)
    pack_turned(a.numbers + (row + first) * a.step + column, a.step,
                std::min<int64_t>(kTall, rows - first), depth, to, kTall);
}

// A tile of so many rows, or fewer, times a panel, stored or added, and finished.
template <class V, int VECTORS>
void tile_times_panel(const float* tile, int64_t rows, const float* panel, int64_t depth, float* to,
                      int64_t step, int64_t count, bool fresh, const Finish& finish) {
  constexpr int64_t lanes = kSize<V>, width = VECTORS * lanes;
  const int64_t some = std::min<int64_t>(kTall, rows);
  for (int64_t r = 0; r < some; ++r)
    for (int64_t j = 0; j < width; j += 16) __builtin_prefetch(to + r * step + j, 1);
  if (rows >= kTall)
    return across_tile<V, VECTORS, kTall, true>(tile, kTall, panel, width, depth, to, step, count,
                                                fresh, finish);
  // Few rows keep the processor waiting for each sum, so the zeros below them are multiplied too.
  alignas(64) float sums[kTall * width];
  across_tile<V, VECTORS, kTall, true>(tile, kTall, panel, width, depth, sums, width, width, true);
  for (int64_t r = 0; r < some; ++r, to += step)
    for (int64_t j = 0; j < count; j += lanes) {
      const bool whole = count - j >= lanes;
      V sum = load<V>(sums + r * width + j);
      if (!fresh) sum += whole ? load<V>(to + j) : load_first<V>(to + j, count - j);
      if (finish.some()) sum = finish.at<V>(j)(sum);
      whole ? store(to + j, sum) : store_first(to + j, sum, count - j);
    }
}

// Columns [first, end) of `b` and rows [begin, begin + depth) of it, as panels.
template <class T>
void pack_columns(const Factor<T>& b, int64_t begin, int64_t depth, const Panel* first,
                  const Panel* end, float* to) {
  if (!b.transposed)
    return pack_panels(b.numbers + begin * b.step, b.step, depth, first, end, to);
  for (const Panel* panel = first; panel != end; ++panel)
    pack_turned(b.numbers + panel->first * b.step + begin, b.step, panel->count, depth,
                to + (panel->packed - first->packed) * depth, panel->width);
}

// Brings a part of a matrix into the second cache, some of it at each call.
template <class T>
class Fetch {
 public:
  Fetch(const Factor<T>& b, int64_t begin, int64_t depth, int64_t column, int64_t columns,
        int64_t calls)
      : at_(b.numbers + (b.transposed ? column * b.step + begin : begin * b.step + column)),
        step_(b.step),
        rows_(b.transposed ? columns : depth),
        length_(b.transposed ? depth : columns),
        calls_(calls) {}

  void operator()() {
    for (++call_; row_ < call_ * rows_ / calls_; ++row_)
      for (int64_t i = 0; i < length_; i += 64 / sizeof(T))
        __builtin_prefetch(at_ + row_ * step_ + i, 0, 2);
  }

 private:
  const T* at_;
  int64_t step_, rows_, length_, calls_, call_ = 0, row_ = 0;
};

// Many rows: columns are packed once, for all threads, and a task has these for a few rows, which
// it packs for itself.
template <class Pool, class T>
void gemm_of_rows(Pool& threads, const Factor<T>& a, int64_t rows, const Factor<T>& b,
                  int64_t columns, int64_t depth, const Finish& finish, float* to) {
  static thread_local Scratch sharing;
  const std::vector<Panel> panels = panels_of(columns);
  const int64_t pieces = (depth + kPiece - 1) / kPiece, piece = (depth + pieces - 1) / pieces;
  const int64_t wanted = std::clamp(rows / (kTasks * thread_count(threads)), kLow, kHigh);
  const int64_t block = (wanted + kTall - 1) / kTall * kTall, blocks = (rows + block - 1) / block;
  // Panels [some, end) with numbers [begin, begin + deep) of each sum.
  const auto multiply = [&](const Panel* some, const Panel* end, int64_t begin, int64_t deep) {
    const Finish last = begin + deep == depth ? finish : Finish{};
    float* const shared = sharing.get((end[-1].packed + end[-1].width - some->packed) * deep);
    const auto packed = [&](const Panel* panel) {
      return shared + (panel->packed - some->packed) * deep;
    };
    parallel_for(threads, (end - some + kGroup - 1) / kGroup, [&](int64_t task) {
      const Panel* const first = some + task * kGroup;
      pack_columns(b, begin, deep, first, std::min(first + kGroup, end), packed(first));
    });
    parallel_for(threads, blocks, [&](int64_t task) {
      static thread_local Scratch packing;
      const int64_t first = task * block, count = std::min(block, rows - first);
      float* const tiles = packing.get(block * deep);
      pack_tiles(a, first, begin, count, deep, tiles);
      for (const Panel* panel = some; panel != end; ++panel)
        with_vectors(*panel, [&](auto vector, auto vectors) {
          const float* const numbers = packed(panel);
          const int64_t size = panel->width * deep, calls = (count + kTall - 1) / kTall;
          int64_t fetched = 0, call = 0;
          for (int64_t row = 0; row < count; row += kTall) {
            // The next panel comes into the second cache meanwhile.
            for (++call; fetched < call * size / calls; fetched += 16)
              __builtin_prefetch(numbers + size + fetched, 0, 2);
            tile_times_panel<decltype(vector), vectors()>(
                tiles + row * deep, count - row, numbers, deep,
                to + (first + row) * columns + panel->first, columns, panel->count, begin == 0,
                last.from(panel->first));
          }
        });
    });
  };
  constexpr int64_t together = kMostShared / (2 * kLanes);
  const Panel* const end = panels.data() + panels.size();
  for (const Panel* some = panels.data(); some < end; some += together)
    for (int64_t begin = 0; begin < depth; begin += piece)
      multiply(some, std::min(some + together, end), begin, std::min(piece, depth - begin));
}

// Few rows: a task has some columns, and each thread packs the rows once for all of its tasks. It
// fetches the columns that it is likely to pack next while it multiplies.
template <class Pool, class T>
void gemm_of_columns(Pool& threads, const Factor<T>& a, int64_t rows, const Factor<T>& b,
                     int64_t columns, int64_t depth, const Finish& finish, float* to) {
  static std::atomic<int64_t> packings{0};
  const std::vector<Panel> panels = panels_of(columns);
  const int64_t panel_count = static_cast<int64_t>(panels.size());
  const int64_t pieces = (depth + kPiece - 1) / kPiece, piece = (depth + pieces - 1) / pieces;
  const int64_t tall = (rows + kTall - 1) / kTall;
  int64_t group = kGroup;
  const auto groups = [&] { return (panel_count + group - 1) / group; };
  while (group > 1 && groups() < 3 * thread_count(threads)) group /= 2;
  for (int64_t begin = 0; begin < depth; begin += piece) {
    const int64_t deep = std::min(piece, depth - begin);
    const int64_t packing = packings.fetch_add(1);
    const Finish last = begin + deep == depth ? finish : Finish{};
    parallel_for(threads, groups(), [&](int64_t task) {
      static thread_local Scratch tile_packing, panel_packing;
      static thread_local int64_t packed = -1;  // what this thread has packed last
      const Panel* const begin_panel = &panels[task * group];
      const Panel* const end_panel = std::min(begin_panel + group, panels.data() + panel_count);
      const int64_t wide = end_panel[-1].packed + end_panel[-1].width - begin_panel->packed;
      float* const tiles = tile_packing.get(tall * kTall * deep);
      float* const packed_panels = panel_packing.get(wide * deep);
      if (packed != packing) pack_tiles(a, 0, begin, rows, deep, tiles);
      packed = packing;
      pack_columns(b, begin, deep, begin_panel, end_panel, packed_panels);
      const int64_t next = task + thread_count(threads);
      const int64_t next_begin = next < groups() ? begin : begin + piece;
      const int64_t next_column = panels[next % groups() * group].first;
      const int64_t next_depth = std::clamp<int64_t>(depth - next_begin, 0, piece);
      Fetch<T> fetch(b, next_begin, next_depth, next_column,
                     std::min(group * 2 * kLanes, columns - next_column),
                     tall * (end_panel - begin_panel));
      for (const Panel* panel = begin_panel; panel != end_panel; ++panel)
        with_vectors(*panel, [&](auto vector, auto vectors) {
          const float* const numbers =
              packed_panels + (panel->packed - begin_panel->packed) * deep;
          for (int64_t row = 0; row < rows; row += kTall) {
            fetch();
            tile_times_panel<decltype(vector), vectors()>(
                tiles + row * deep, rows - row, numbers, deep, to + row * columns + panel->first,
                columns, panel->count, begin == 0, last.from(panel->first));
          }
        });
    });
  }
}

// Sums of `depth` numbers, the same whatever the number of threads.
template <class Pool, class T>
void gemm(Pool& threads, const Factor<T>& a, int64_t rows, const Factor<T>& b, int64_t columns,
          int64_t depth, const Finish& finish, float* to) {
  if (rows > kBlock)
    gemm_of_rows(threads, a, rows, b, columns, depth, finish, to);
  else
    gemm_of_columns(threads, a, rows, b, columns, depth, finish, to);
}

}  // namespace slipstream
