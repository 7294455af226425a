// Products of many matrices with as many others, each pair by itself:
//   y[b] = x[b] w[b], or x[b] w[b]' or x[b]' w[b], where ' turns a matrix.

#include <algorithm>
#include <atomic>
#include <vector>

#include "across.h"
#include "handler.h"
#include "packing.h"

namespace slipstream {
namespace {

constexpr int64_t kLeast = 1 << 16;  // multiplications that are worth a thread
constexpr int64_t kDepth = 256;      // numbers of a sum that are added at once, where x is turned

struct Batch {
  int64_t count, rows, depth, columns;
  bool left_turned, right_turned;
};

// Rows [first, first + many) of one product, the right matrix in panels.
void some_rows(const Batch& p, const float* x, int64_t first, int64_t many,
               const std::vector<Panel>& panels, const float* packed,
               const std::vector<int64_t>& from, const std::vector<int64_t>& to, float* y) {
  if (!p.left_turned)
    return multiply(Rows<float>{x + first * p.depth, from.data(), y + first * p.columns, to.data(),
                                many},
                    {{0, p.depth}}, p.depth, panels, packed);
  for (int64_t k = 0; k < p.depth; k += kDepth)
    for (const Panel& panel : panels)
      across(x + k * p.rows + first, p.rows, many, panel,
             packed + panel.packed * p.depth + k * panel.width, panel.width,
             std::min(kDepth, p.depth - k), y + first * p.columns + panel.first, p.columns, k == 0);
}

void batched(Threads& threads, const Batch& p, const float* x, const float* w, float* y) {
  static std::atomic<int64_t> calls{0};
  const int64_t call = calls.fetch_add(p.count);
  const std::vector<Panel> panels = panels_of(p.columns);
  const int64_t work = p.count * p.rows * p.depth * p.columns;
  const int64_t wanted = std::min(4 * thread_count(threads), work / kLeast + 1);
  // Tasks are whole products, or rows of one where products are few.
  const int64_t blocks =
      std::clamp<int64_t>((wanted + p.count - 1) / p.count, 1, std::max<int64_t>(1, p.rows / 24));
  const int64_t block = ((p.rows + blocks - 1) / blocks + 11) / 12 * 12;
  const int64_t pieces = (p.rows + block - 1) / block, tasks = p.count * pieces;
  std::vector<int64_t> from(std::min(block, p.rows)), to(from.size());
  for (size_t r = 0; r < from.size(); ++r) {
    from[r] = r * p.depth;
    to[r] = r * p.columns;
  }
  const int64_t groups = wanted == 1 ? 1 : tasks;
  parallel_for(threads, groups, [&](int64_t group) {
    static thread_local Scratch packing;
    static thread_local int64_t kept = -1;  // the matrix that this thread has packed last
    float* const packed = packing.get(packed_columns(panels) * p.depth);
    for (int64_t task = group; task < tasks; task += groups) {
      const int64_t place = task / pieces, first = task % pieces * block;
      const float* const matrix = w + place * p.depth * p.columns;
      if (kept != call + place)
        for (const Panel& panel : panels)
          pack_panel({0, p.depth, p.columns, p.right_turned}, matrix, panel,
                     packed + panel.packed * p.depth);
      kept = call + place;
      some_rows(p, x + place * p.rows * p.depth, first, std::min(block, p.rows - first), panels,
                packed, from, to, y + place * p.rows * p.columns);
    }
  });
}

ffi::Error run(Threads threads, Array x, Array w, int64_t left_turned, int64_t right_turned,
               Output y) {
  const auto shape = y->dimensions();
  const Batch p = {shape[0], shape[1], x.dimensions()[left_turned != 0 ? 1 : 2], shape[2],
                   left_turned != 0, right_turned != 0};
  batched(threads, p, data<float>(x), data<float>(w), data<float>(y));
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(batched_product, run,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Attr<int64_t>("left_turned")
                       .Attr<int64_t>("right_turned")
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
