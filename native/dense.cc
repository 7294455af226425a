// The gradient of a dense layer's kernel: sum over rows n of x[n, i] * dy[n, o].

#include <algorithm>
#include <vector>

#include "gemm.h"
#include "handler.h"

namespace slipstream {
namespace {

constexpr int64_t kDepth = 256;     // rows of dy that are packed at once
constexpr int64_t kTogether = 8;    // panels of dy that are packed at once
constexpr int64_t kLeast = 1 << 18;  // multiplications that are worth a thread
constexpr int64_t kLarge = 1 << 27;  // multiplications, and numbers of a row of dy, from which
constexpr int64_t kWide = 256;       // blocks of x are packed for all threads
// A tile of few rows takes only a part of each line of x that it reads, so these are packed.
constexpr bool kPacked = kTall < 8;

// What is computed apart: some columns of dy with some columns of x, over some of the rows.
struct Split {
  bool large;  // so that blocks of both sides are packed, if all rows are summed at once
  int64_t parts, panel_groups, row_groups, group_rows;

  Split(int64_t rows, int64_t inputs, int64_t outputs, int64_t panels, int64_t threads)
      : large(outputs >= kWide && rows * inputs * outputs >= kLarge) {
    panel_groups = (panels + kTogether - 1) / kTogether;
    parts = parts_of(rows, (inputs + 11) / 12 * panels);
    const int64_t width = 2 * kLanes * std::min(panels, kTogether);
    const int64_t worth = std::max<int64_t>(1, rows / parts * inputs * width / kLeast);
    const int64_t wanted = (3 * threads + parts * panel_groups - 1) / (parts * panel_groups);
    row_groups = threads == 1 ? 1 : std::min({wanted, worth, (inputs + 23) / 24});
    group_rows = ((inputs + row_groups - 1) / row_groups + 11) / 12 * 12;
    row_groups = (inputs + group_rows - 1) / group_rows;
  }
  int64_t count() const { return parts * panel_groups * row_groups; }

 private:
  // Few results of many rows are summed in parts; how many depends on the shape alone.
  int64_t parts_of(int64_t rows, int64_t tiles) const {
    if (kPacked && large) return 1;
    if (kPacked) return std::clamp<int64_t>(std::min(rows / kDepth, 8 / panel_groups), 1, 8);
    if (tiles < 64) return std::clamp<int64_t>(rows / 1024, 1, 16);
    return tiles < 512 ? std::clamp<int64_t>(rows / 2048, 1, 4) : 1;
  }
};

// Brings numbers into the second cache. It is no fault if there are fewer.
template <class T>
void fetch(const T* from, int64_t count) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t i = 0; i < count; i += line) __builtin_prefetch(from + i, 0, 2);
}

// The sums of each part of the rows, one part after the other.
template <class T>
void sum_parts(Threads& threads, const T* x, const T* dy, int64_t rows, int64_t inputs,
               int64_t outputs, const std::vector<Panel>& panels, const Split& split, float* sums) {
  const int64_t panel_count = static_cast<int64_t>(panels.size());
  constexpr bool exact = std::is_same_v<T, float>;
  parallel_for(threads, split.count(), [&](int64_t task) {
    static thread_local Scratch packing, copying;
    const int64_t part = task % split.parts, place = task / split.parts;
    const int64_t first_panel = place % split.panel_groups * kTogether;
    const int64_t last_panel = std::min(first_panel + kTogether, panel_count);
    const int64_t first = place / split.panel_groups * split.group_rows;
    const int64_t many = std::min(split.group_rows, inputs - first);
    const int64_t begin = part * rows / split.parts, end = (part + 1) * rows / split.parts;
    float* const to = sums + part * inputs * outputs;
    for (int64_t n = begin; n < end; n += kDepth) {
      const int64_t depth = std::min(kDepth, end - n);
      const int64_t base = panels[first_panel].packed;
      const int64_t wide = panels[last_panel - 1].packed + panels[last_panel - 1].width - base;
      float* const packed = packing.get(depth * wide);
      pack_panels(dy + n * outputs, outputs, depth, panels.data() + first_panel,
                  panels.data() + last_panel, packed);
      // Calls body(panel, its numbers, where its results go).
      const auto each_panel = [&](const auto& body) {
        for (int64_t p = first_panel; p < last_panel; ++p)
          body(panels[p], packed + (panels[p].packed - base) * depth,
               to + first * outputs + panels[p].first);
      };
      if constexpr (kPacked) {
        float* const tiles = copying.get((many + kTall - 1) / kTall * kTall * depth);
        pack_tiles(Factor<T>{x, inputs, true}, first, n, many, depth, tiles);
        each_panel([&](const Panel& panel, const float* numbers, float* results) {
          with_vectors(panel, [&](auto vector, auto vectors) {
            for (int64_t i = 0; i < many; i += kTall)
              tile_times_panel<decltype(vector), vectors()>(tiles + i * depth, many - i, numbers,
                                                            depth, results + i * outputs, outputs,
                                                            panel.count, n == begin, Finish{});
          });
        });
        continue;
      }
      const float* source;
      int64_t step = inputs;
      if constexpr (exact) {
        source = x + n * inputs + first;
      } else {
        float* const copy = copying.get(depth * many);
        for (int64_t k = 0; k < depth; ++k)
          for (int64_t i = 0; i < many; ++i)
            copy[k * many + i] = to_float(x[(n + k) * inputs + first + i]);
        source = copy;
        step = many;
      }
      // A few columns of x stay in the nearest cache while all panels pass; the rows of dy that
      // come next are on their way meanwhile.
      constexpr int64_t some = 48;
      const int64_t after = std::min(kDepth, end - n - depth);
      const int64_t calls = (many + some - 1) / some * (last_panel - first_panel);
      int64_t call = 0, fetched = 0;
      for (int64_t i = 0; i < many; i += some)
        each_panel([&](const Panel& panel, const float* numbers, float* results) {
          for (++call; fetched < call * after / calls; ++fetched)
            fetch(dy + (n + depth + fetched) * outputs + panels[first_panel].first, wide);
          across(source + i, step, std::min(some, many - i), panel, numbers, panel.width, depth,
                 results + i * outputs, outputs, n == begin);
        });
    }
  });
}

template <class T>
void weight_gradient(Threads& threads, const T* x, const T* dy, int64_t rows, int64_t inputs,
                     int64_t outputs, T* dw) {
  static thread_local Scratch summing;
  const std::vector<Panel> panels = panels_of(outputs);
  const Split split(rows, inputs, outputs, static_cast<int64_t>(panels.size()),
                    thread_count(threads));
  const int64_t size = inputs * outputs;
  float* sums = nullptr;
  if constexpr (std::is_same_v<T, float>)
    if (split.parts == 1) sums = dw;
  const bool done = sums != nullptr;
  if (!done) sums = summing.get(split.parts * size);
  if (split.large && split.parts == 1)
    gemm(threads, Factor<T>{x, inputs, true}, inputs, Factor<T>{dy, outputs, false}, outputs, rows,
         Finish{}, sums);
  else
    sum_parts(threads, x, dy, rows, inputs, outputs, panels, split, sums);
  if (done) return;
  parallel_ranges(threads, size, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float total = sums[i];
      for (int64_t part = 1; part < split.parts; ++part) total += sums[part * size + i];
      dw[i] = from_float<T>(total);
    }
  });
}

ffi::Error run(Threads threads, Array x, Array dy, Output dw) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    weight_gradient(threads, data<T>(x), data<T>(dy), x.dimensions()[0], x.dimensions()[1],
                    dy.dimensions()[1], data<T>(dw));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(weight_gradient, run,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
