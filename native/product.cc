// Rows times a matrix, or times its transpose, finished:
//   y[n, o] = sum over i of x[n, i] * w[i, o], or of x[n, i] * w[o, i]
//
// A task has some columns for some rows, and packs the part of the matrix that it needs: that is
// little beside its products, and no thread waits for another's packing. A matrix that meets few
// rows is read as it lies; of a large one that meets more, blocks are packed (gemm.h).

#include <algorithm>
#include <cstring>
#include <vector>

#include "gemm.h"
#include "handler.h"

namespace slipstream {
namespace {

constexpr int64_t kMost = 384;       // rows of a task, whose numbers stay in the second cache
constexpr int64_t kFew = 36;         // rows for which packing a matrix does not pay
constexpr int64_t kFewest = 6;       // rows for which the matrix is read once, for all of them
constexpr int64_t kSome = 64;        // rows from which blocks of a large matrix are packed,
constexpr int64_t kVast = 1 << 20;   // and numbers of one
constexpr int64_t kLeast = 1 << 16;  // multiplications that are worth a thread
constexpr int64_t kWake = 1 << 20;   // and those that are worth waking one
constexpr int64_t kShared = 1 << 14;  // numbers of a matrix that is packed once, for all threads

// ROWS rows times 2 vectors of columns, read from the matrix itself.
template <int ROWS>
__attribute__((noinline)) void direct_tile(const Product& p, const float* x, const float* w,
                                           int64_t column, const Finish& finish, float* y) {
  Wide sums[ROWS][2];
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
    SLIPSTREAM_UNROLL for (int v = 0; v < 2; ++v) sums[r][v] = Wide{};
  w += column;
  for (int64_t k = 0; k < p.depth; ++k, w += p.columns) {
    const Wide columns[2] = {load<Wide>(w), load<Wide>(w + kLanes)};
    for (int ahead = 0; ahead < 2 * kLanes; ahead += 16)
      __builtin_prefetch(w + 16 * p.columns + ahead);
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      SLIPSTREAM_UNROLL for (int v = 0; v < 2; ++v) sums[r][v] += x[r * p.depth + k] * columns[v];
  }
  SLIPSTREAM_UNROLL for (int v = 0; v < 2; ++v) {
    const Ending<Wide> ending = finish.at<Wide>(column + v * kLanes);
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      store(y + r * p.columns + column + v * kLanes, ending(sums[r][v]));
  }
}

void direct_panel(const Product& p, const float* x, const float* w, int64_t column,
                  const Finish& finish, float* y) {
  int64_t left = p.rows;
  const auto rows = [&](auto count) {
    constexpr int many = decltype(count)::value;
    for (; left >= many; left -= many, x += many * p.depth, y += many * p.columns)
      direct_tile<many>(p, x, w, column, finish, y);
  };
  rows(std::integral_constant<int, kTileRows<2>>{});
  rows(std::integral_constant<int, kTileRows<2> / 2>{});
  rows(std::integral_constant<int, 2>{});
  rows(std::integral_constant<int, 1>{});
}

// Few rows: each part sums over some of the matrix's rows, which lie side by side.
void few_rows(Threads& threads, const Product& p, const float* x, const float* w,
              const Finish& finish, float* y) {
  constexpr int64_t together = 4;
  const int64_t parts = std::clamp<int64_t>(p.depth * p.columns / kLeast, 1, 16);
  const int64_t size = p.rows * p.columns;
  static thread_local Scratch summing;
  float* const sums = summing.get(parts * size);
  parallel_for(threads, parts, [&](int64_t part) {
    float* const own = sums + part * size;
    std::memset(own, 0, size * sizeof(float));
    const int64_t end = (part + 1) * p.depth / parts;
    const auto add = [&](int64_t k, auto count) {
      constexpr int many = decltype(count)::value;
      const float* const row = w + k * p.columns;
      for (int64_t n = 0; n < p.rows; ++n) {
        const float* const numbers = x + n * p.depth + k;
        float* const to = own + n * p.columns;
        int64_t j = 0;
        for (; j + kLanes <= p.columns; j += kLanes) {
          Wide sum = load<Wide>(to + j);
          for (int i = 0; i < many; ++i) {
            sum += numbers[i] * load<Wide>(row + i * p.columns + j);
            if (n == 0) __builtin_prefetch(row + (together + i) * p.columns + j);
          }
          store(to + j, sum);
        }
        for (; j < p.columns; ++j)
          for (int i = 0; i < many; ++i) to[j] += numbers[i] * row[i * p.columns + j];
      }
    };
    int64_t k = part * p.depth / parts;
    for (; k + together <= end; k += together) add(k, std::integral_constant<int, together>{});
    for (; k < end; ++k) add(k, std::integral_constant<int, 1>{});
  });
  for (int64_t n = 0; n < p.rows; ++n)
    for (int64_t j = 0; j < p.columns; ++j) {
      float total = 0.0f;
      for (int64_t part = 0; part < parts; ++part) total += sums[part * size + n * p.columns + j];
      y[n * p.columns + j] = finish.at<Vector<1>>(j)(Vector<1>{total})[0];
    }
}

// Many rows and a small matrix: it is packed once, and a task has all columns of some rows, which
// come into its caches once.
void many_rows(Threads& threads, const Product& p, const std::vector<Panel>& panels,
               int64_t wanted, const float* x, const float* w, const Finish& finish, float* y) {
  static thread_local Scratch packing;
  float* const packed = packing.get(packed_columns(panels) * p.depth);
  for (const Panel& panel : panels) pack_panel(p, w, panel, packed + panel.packed * p.depth);
  constexpr int64_t together = 12;
  const int64_t some =
      std::clamp(kShared / (p.depth + p.columns) / together * together, 2 * together, kMost);
  const int64_t block = wanted == 1 ? p.rows : some;  // what is worth no second thread is one task
  int64_t from[together], to[together];
  for (int64_t r = 0; r < together; ++r) {
    from[r] = r * p.depth;
    to[r] = r * p.columns;
  }
  const std::vector<Run> runs = {{0, p.depth}};
  const int64_t ahead = std::min<int64_t>(together * p.depth, 4096);
  parallel_for(threads, (p.rows + block - 1) / block, [&](int64_t task) {
    const int64_t end = std::min((task + 1) * block, p.rows);
    for (int64_t first = task * block; first < end; first += together) {
      const float* const next = x + std::min(first + together, p.rows - together) * p.depth;
      for (int64_t k = 0; k < ahead; k += 16) __builtin_prefetch(next + k);
      multiply(Rows<float>{x + first * p.depth, from, y + first * p.columns, to,
                           std::min(together, end - first)},
               runs, p.depth, panels, packed, finish);
    }
  });
}

void multiply_all(Threads& threads, const Product& p, const float* x, const float* w,
                  const Finish& finish, float* y) {
  if (p.rows <= kFewest && !p.transposed) return few_rows(threads, p, x, w, finish, y);
  if (p.rows >= kSome && p.depth * p.columns >= kVast)
    return gemm(threads, Factor<float>{x, p.depth, false}, p.rows,
                Factor<float>{w, p.transposed ? p.depth : p.columns, p.transposed}, p.columns,
                p.depth, finish, y);
  const std::vector<Panel> panels = panels_of(p.columns);
  const int64_t columns = static_cast<int64_t>(panels.size());
  const int64_t least = threads_awake() ? kLeast : kWake;
  const int64_t wanted =
      std::min(3 * thread_count(threads), p.rows * p.depth * p.columns / least + 1);
  if (p.rows >= 2 * kMost && p.depth * p.columns <= kShared)
    return many_rows(threads, p, panels, wanted, x, w, finish, y);
  int64_t blocks = std::max((p.rows + kMost - 1) / kMost, (wanted + columns - 1) / columns);
  blocks = std::clamp<int64_t>(blocks, 1, std::max<int64_t>(1, p.rows / 24));
  const int64_t block = ((p.rows + blocks - 1) / blocks + 11) / 12 * 12;
  blocks = (p.rows + block - 1) / block;
  std::vector<int64_t> from(std::min(block, p.rows)), to(from.size());
  for (size_t r = 0; r < from.size(); ++r) {
    from[r] = r * p.depth;
    to[r] = r * p.columns;
  }
  const std::vector<Run> runs = {{0, p.depth}};
  // Work that is worth no second thread is one task.
  const int64_t tasks = wanted == 1 ? 1 : blocks * columns;
  parallel_for(threads, tasks, [&](int64_t task) {
    static thread_local Scratch packing;
    for (int64_t i = task; i < blocks * columns; i += tasks) {
      const Panel& panel = panels[i % columns];
      const int64_t first = i / columns * block, count = std::min(block, p.rows - first);
      const bool direct = !p.transposed && count <= kFew && panel.count == 2 * kLanes;
      if (direct) {
        const Product some = {count, p.depth, p.columns, false};
        direct_panel(some, x + first * p.depth, w, panel.first, finish, y + first * p.columns);
        continue;
      }
      float* const packed = packing.get(p.depth * panel.width);
      pack_panel(p, w, panel, packed);
      Panel alone = panel;
      alone.packed = 0;
      multiply(Rows<float>{x + first * p.depth, from.data(), y + first * p.columns, to.data(),
                           count},
               runs, p.depth, {alone}, packed, finish);
    }
  });
}

ffi::Error run(Threads threads, Array x, Array w, Array scale, Array bias, int64_t transposed,
               float top, Output y) {
  const Product p = {x.dimensions()[0], x.dimensions()[1], y->dimensions()[1], transposed != 0};
  const Finish finish = finish_of<float>(scale, bias, p.columns, top);
  multiply_all(threads, p, data<float>(x), data<float>(w), finish, data<float>(y));
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(product, run,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Attr<int64_t>("transposed")
                       .Attr<float>("top")
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
