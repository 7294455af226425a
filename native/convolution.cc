// Convolution over up to three axes, and its gradients for the input and for the kernel.
//
//   y[n, p, o] = sum over taps k, channels c of x[n, p * stride + k * dilation - low, c] * w[k, c, o]
//
// All three are products of windows with a matrix. Windows are never copied out one by one
// (im2col): a row of a product is a few runs of numbers in a frame, which is the part of the
// source that a block of results needs, padded with zeros. The gradient for the input is such a
// product too, one for each phase of the stride, with the kernel's taps in reverse.

#include <algorithm>
#include <cstring>
#include <vector>

#include "frames.h"
#include "winograd.h"

namespace slipstream {
namespace {

// Results that see the same taps: all of them or, for a gradient, those of a phase of the stride.
struct Part {
  Axes axes;
  Blocks blocks;
  Frame frame;
  Places places;
  int64_t taps, packed;  // how many, and where its packed matrices begin

  Part(const Axes& of, int64_t batch, int64_t source_channels, int64_t target_channels,
       int64_t threads, bool floats, int64_t packed)
      : axes(of),
        blocks(batch, axes, source_channels, threads),
        frame(axes, blocks, source_channels, floats),
        places(axes, blocks, frame, source_channels, target_channels),
        taps(axes[0].taps.size() * axes[1].taps.size() * axes[2].taps.size()),
        packed(packed) {}

  // Places in the window of a tap.
  Sizes index(int64_t tap) const {
    const int64_t line = axes[2].taps.size(), plane = axes[1].taps.size() * line;
    return {axes[0].taps[tap / plane].index, axes[1].taps[tap % plane / line].index,
            axes[2].taps[tap % line].index};
  }
};

// Targets of products: each window times one matrix a group, finished. at(tap, group, k, j) is the
// number of the matrix for the k-th channel of the source and the j-th of the target, in the group.
template <class T, class At>
void correlate(Threads& threads, const T* source, int64_t batch, const std::vector<Axes>& all,
               int64_t source_channels, int64_t target_channels, int64_t groups,
               const Finish& finish, T* target, const At& at) {
  const int64_t depth = source_channels / groups, filters = target_channels / groups;
  const std::vector<Panel> panels = panels_of(filters);
  const int64_t matrix = packed_columns(panels) * depth;  // of a tap
  std::vector<Part> parts;
  int64_t taps = 0, tasks = 0;
  for (const Axes& axes : all) {
    parts.emplace_back(axes, batch, source_channels, target_channels, thread_count(threads),
                       std::is_same_v<T, float>, groups * taps * matrix);
    taps += parts.back().taps;
    tasks = std::max(tasks, parts.back().blocks.count());
  }

  static thread_local Scratch packing;
  float* const packed = packing.get(groups * taps * matrix);
  for (const Part& part : parts)
    parallel_ranges(threads, groups * part.taps, std::max<int64_t>(1, 32768 / (matrix + 1)),
                    [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / part.taps, tap = i % part.taps, from = tap * depth;
        const Sizes index = part.index(tap);
        pack(panels, part.taps * depth, from, from + depth,
             packed + part.packed + group * part.taps * matrix,
             [&](int64_t k, int64_t j) { return at(index, group, k - from, j); });
      }
    });

  const auto compute = [&](const Part& part, int64_t index) {
    static thread_local Scratch scratch;
    const Axes& axes = part.axes;
    const Block block = block_at(part.blocks, index, batch, axes);
    const int64_t plane = axes[0].target_first + block.plane * axes[0].target_step;
    const int64_t line = axes[1].target_first + block.line * axes[1].target_step;
    T* const to = target + (((block.image * axes[0].target + plane) * axes[1].target + line) *
                                axes[2].target +
                            axes[2].target_first) *
                               target_channels;
    const float* const from = frame_of(source, axes, block, part.frame, source_channels, scratch);
    const Span planes = taps_inside(axes[0], block.plane);
    for_lines(axes, block, [&](int64_t begin, int64_t end, Span lines) {
      const int64_t first = begin * axes[2].count;
      const int64_t rows = block.images * (end - begin) * axes[2].count;
      for (int64_t g = 0; g < groups; ++g)
        multiply(Rows<T>{from, part.places.from.data() + first, to + g * filters,
                         part.places.to.data() + first, rows},
                 runs_of(axes, planes, lines, part.frame, source_channels, groups, g),
                 part.taps * depth, panels, packed + part.packed + g * part.taps * matrix,
                 finish.from(g * filters));
    });
  };
  // All parts of a block read about the same part of the source.
  parallel_for(threads, tasks, [&](int64_t index) {
    for (const Part& part : parts)
      if (index < part.blocks.count()) compute(part, index);
  });
}

// Whether fewer multiplications pay for the transforms they need.
bool suits_winograd(const Convolution& c, int64_t most) {
  const int64_t tiles = c.batch * ((c.out[1] + 1) / 2) * ((c.out[2] + 1) / 2);
  bool plain = c.groups == 1 && c.in[0] == 1 && c.out[0] == 1 && c.window[0] == 1 && c.low[0] == 0;
  for (int a = 1; a < kAxes; ++a)
    plain = plain && c.window[a] == 3 && c.stride[a] == 1 && c.dilation[a] == 1 && c.out[a] >= 4;
  return plain && tiles >= 96 && std::min(c.channels, c.filters) >= 16 &&
         c.channels * c.filters <= most;
}

Plane plane_of(const Convolution& c) {
  return {c.batch, c.in[1], c.in[2], c.channels, c.out[1], c.out[2], c.filters, c.low[1], c.low[2]};
}

template <class T>
void forward(Threads& threads, const Convolution& c, const T* x, const T* kernel,
             const Finish& finish, T* y) {
  const int64_t channels = c.group_channels(), filters = c.group_filters();
  if (suits_winograd(c, 256 * 256))
    return winograd(threads, plane_of(c), x, finish, y, [&](int i, int j, int64_t k, int64_t o) {
      return to_float(kernel[((3 * i + j) * channels + k) * filters + o]);
    });
  correlate(threads, x, c.batch, {forward_axes(c)}, c.channels, c.filters, c.groups, finish, y,
            [&](const Sizes& tap, int64_t group, int64_t k, int64_t j) {
              const int64_t at = (tap[0] * c.window[1] + tap[1]) * c.window[2] + tap[2];
              return to_float(kernel[(at * channels + k) * c.filters + group * filters + j]);
            });
}

// Results of no taps at all.
template <class T>
void fill(Threads& threads, int64_t positions, int64_t channels, const Finish& finish, T* to) {
  parallel_ranges(threads, positions, 8192 / channels + 1, [&](int64_t begin, int64_t end) {
    if (finish.bias == nullptr) {
      std::memset(to + begin * channels, 0, (end - begin) * channels * sizeof(T));
      return;
    }
    for (int64_t p = begin; p < end; ++p)
      for (int64_t c = 0; c < channels; ++c)
        to[p * channels + c] = from_float<T>(finish.at<Vector<1>>(c)(Vector<1>{})[0]);
  });
}

template <class T>
void input_gradient(Threads& threads, const Convolution& c, const T* dy, const T* kernel,
                    const Finish& finish, T* dx) {
  const int64_t channels = c.group_channels(), filters = c.group_filters();
  if (suits_winograd(c, 256 * 256)) {
    const Plane turned{c.batch,  c.out[1],   c.out[2],       c.filters,     c.in[1],
                       c.in[2],  c.channels, 2 - c.low[1],   2 - c.low[2]};
    return winograd(threads, turned, dy, finish, dx, [&](int i, int j, int64_t o, int64_t k) {
      return to_float(kernel[((8 - 3 * i - j) * channels + k) * filters + o]);
    });
  }
  std::vector<Axes> phases;
  Sizes phase;
  bool gaps = false;
  for (phase[0] = 0; phase[0] < c.stride[0]; ++phase[0])
    for (phase[1] = 0; phase[1] < c.stride[1]; ++phase[1])
      for (phase[2] = 0; phase[2] < c.stride[2]; ++phase[2]) {
        Axes axes;
        bool seen = true, some = true;
        for (int a = 0; a < kAxes; ++a) {
          axes[a] = backward_axis(c, a, phase[a]);
          seen = seen && !axes[a].taps.empty();
          some = some && axes[a].count > 0;
        }
        gaps = gaps || (some && !seen);
        if (seen && some) phases.push_back(axes);
      }
  if (gaps) fill(threads, c.batch * c.in_size(), c.channels, finish, dx);
  correlate(threads, dy, c.batch, phases, c.filters, c.channels, c.groups, finish, dx,
            [&](const Sizes& tap, int64_t group, int64_t k, int64_t j) {
              const int64_t at = (tap[0] * c.window[1] + tap[1]) * c.window[2] + tap[2];
              return to_float(kernel[(at * channels + j) * c.filters + group * filters + k]);
            });
}

// sums[r][v] += source[from[p] + r] * gradient[p, v] over positions p.
template <class V, int VECTORS, int ROWS>
void accumulate_tile(const float* source, const int64_t* from, const float* gradient,
                     int64_t positions, float* sums, int64_t rows) {
  constexpr int lanes = kSize<V>;
  constexpr int width = VECTORS * lanes;
  V held[ROWS][VECTORS];
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v)
      held[r][v] = r < rows ? load<V>(sums + r * width + v * lanes) : V{};
  for (int64_t p = 0; p < positions; ++p, gradient += width) {
    const float* const at = source + from[p];
    V column[VECTORS];
    SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) column[v] = load<V>(gradient + v * lanes);
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v) held[r][v] += at[r] * column[v];
  }
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r)
    if (r < rows)
      SLIPSTREAM_UNROLL for (int v = 0; v < VECTORS; ++v)
        store(sums + r * width + v * lanes, held[r][v]);
}

// Rows past `rows` are read and dropped: the source has kLanes numbers more than it needs.
template <class V, int VECTORS>
void accumulate_panel(const float* source, const int64_t* from, int64_t depth,
                      const float* gradient, int64_t positions, float* sums) {
  constexpr int most = kTileRows<VECTORS>;
  constexpr int half = most / 2;
  constexpr int width = VECTORS * kSize<V>;
  for (int64_t row = 0; row < depth;) {
    const int64_t left = depth - row;
    float* const to = sums + row * width;
    if (left > half) {
      accumulate_tile<V, VECTORS, most>(source + row, from, gradient, positions, to, left);
      row += most;
    } else {
      accumulate_tile<V, VECTORS, half>(source + row, from, gradient, positions, to, left);
      row += half;
    }
  }
}

// The gradient of a block's results, as floats, each panel's columns side by side.
template <class T>
const float* gradient_of(const T* dy, const Convolution& c, const Block& block, int64_t group,
                         const std::vector<Panel>& panels, Scratch& scratch) {
  const int64_t first = ((block.image * c.out[0] + block.plane) * c.out[1] + block.line) * c.out[2];
  const T* const from = dy + first * c.filters + group * c.group_filters();
  if constexpr (std::is_same_v<T, float>)
    if (panels.size() == 1 && panels[0].width == c.filters) return from;
  const int64_t positions = block.images * block.lines * c.out[2];  // images are whole if several
  float* const copy = scratch.get(positions * packed_columns(panels));
  for (const Panel& panel : panels) {
    float* to = copy + panel.packed * positions;
    for (int64_t p = 0; p < positions; ++p, to += panel.width) {
      copy_floats(from + p * c.filters + panel.first, panel.count, to);
      std::memset(to + panel.count, 0, (panel.width - panel.count) * sizeof(float));
    }
  }
  return copy;
}

template <class T>
void kernel_gradient(Threads& threads, const Convolution& c, const T* x, const T* dy, T* dw) {
  if (suits_winograd(c, 128 * 128))
    return winograd_kernel_gradient(threads, plane_of(c), x, dy, dw);
  const Axes axes = forward_axes(c);
  const int64_t channels = c.group_channels(), filters = c.group_filters();
  const int64_t taps = c.window[0] * c.window[1] * c.window[2], depth = taps * channels;
  const std::vector<Panel> panels = panels_of(filters);
  const int64_t width = packed_columns(panels), matrix = depth * width;
  const Blocks blocks(c.batch, axes, c.channels, thread_count(threads));
  const Frame frame(axes, blocks, c.channels, false);
  const Places places(axes, blocks, frame, c.channels, c.filters);
  const int64_t block_rows = places.from.size();

  // Each part of the blocks sums apart; parts are added in order, so that results repeat.
  const int64_t parts = std::min(blocks.count(), thread_count(threads));
  static thread_local Scratch summing;
  float* const sums = summing.get(parts * c.groups * matrix);
  std::memset(sums, 0, parts * c.groups * matrix * sizeof(float));

  parallel_for(threads, parts, [&](int64_t part) {
    static thread_local Scratch framing, spreading, grading;
    std::vector<int64_t> spread_from;
    for (int64_t i = part * blocks.count() / parts; i < (part + 1) * blocks.count() / parts; ++i) {
      const Block block = block_at(blocks, i, c.batch, axes);
      framing.get(block.images * frame.image + kLanes);
      const float* const windows = frame_of(x, axes, block, frame, c.channels, framing);
      const int64_t positions = block.images * block.lines * c.out[2];
      const Span planes = taps_inside(axes[0], block.plane);
      for (int64_t g = 0; g < c.groups; ++g) {
        const float* const gradient = gradient_of(dy, c, block, g, panels, grading);
        // Adds what `count` positions give to the matrix's rows that the runs name.
        const auto add = [&](const float* source, const int64_t* from, const std::vector<Run>& runs,
                             int64_t begin, int64_t count) {
          for (const Panel& panel : panels) {
            float* const own = sums + (part * c.groups + g) * matrix + panel.packed * depth;
            const float* const column =
                gradient + panel.packed * positions + begin * panel.width;
            for (const Run& run : runs) {
              const float* const at = source + run.offset;
              float* const to = own + run.row * panel.width;
              with_vectors(panel, [&](auto vector, auto vectors) {
                accumulate_panel<decltype(vector), vectors()>(at, from + begin, run.length, column,
                                                              count, to);
              });
            }
          }
        };
        const std::vector<Run> all =
            runs_of(axes, all_taps(axes[0]), all_taps(axes[1]), frame, c.channels, c.groups, g);
        if (all.size() > 1 && all[0].length < kTileRows<2>) {  // windows side by side
          float* const spread = spreading.get(positions * depth + kLanes);
          spread_from.resize(block_rows);
          for (int64_t p = 0; p < positions; ++p) {
            float* to = spread + p * depth;
            for (const Run& run : all) {
              const float* const at = windows + places.from[p] + run.offset;
              for (int64_t k = 0; k < run.length; ++k) to[k] = at[k];
              to += run.length;
            }
            spread_from[p] = p * depth;
          }
          add(spread, spread_from.data(), {{0, depth}}, 0, positions);
          continue;
        }
        for_lines(axes, block, [&](int64_t begin, int64_t end, Span lines) {
          const int64_t first = begin * c.out[2];
          add(windows, places.from.data(),
              runs_of(axes, planes, lines, frame, c.channels, c.groups, g), first,
              block.images * (end - begin) * c.out[2]);
        });
      }
    }
  });

  parallel_ranges(threads, depth, 32768 / (c.filters + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = 0; g < c.groups; ++g)
      for (const Panel& panel : panels)
        for (int64_t k = begin; k < end; ++k)
          for (int64_t j = 0; j < panel.count; ++j) {
            float total = 0.0f;
            for (int64_t part = 0; part < parts; ++part)
              total += sums[(part * c.groups + g) * matrix + panel.packed * depth +
                            k * panel.width + j];
            dw[k * c.filters + g * filters + panel.first + j] = from_float<T>(total);
          }
  });
}

ffi::Error run_forward(Threads threads, Array x, Array kernel, Array scale, Array bias,
                       Numbers stride, Numbers dilation, Numbers low, int64_t groups, float top,
                       Output y) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const Convolution c = describe(x, kernel, *y, stride, dilation, low, groups);
    const Finish finish = finish_of<T>(scale, bias, c.filters, top);
    forward(threads, c, data<T>(x), data<T>(kernel), finish, data<T>(y));
    return ffi::Error::Success();
  });
}

ffi::Error run_input_gradient(Threads threads, Array dy, Array kernel, Array scale, Array bias,
                              Numbers stride, Numbers dilation, Numbers low, int64_t groups,
                              float top, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    const Convolution c = describe(*dx, kernel, dy, stride, dilation, low, groups);
    const Finish finish = finish_of<T>(scale, bias, c.channels, top);
    input_gradient(threads, c, data<T>(dy), data<T>(kernel), finish, data<T>(dx));
    return ffi::Error::Success();
  });
}

ffi::Error run_kernel_gradient(Threads threads, Array x, Array dy, Numbers stride,
                               Numbers dilation, Numbers low, int64_t groups, Output dw) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const Convolution c = describe(x, *dw, dy, stride, dilation, low, groups);
    kernel_gradient(threads, c, data<T>(x), data<T>(dy), data<T>(dw));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(convolution, run_forward, windowed_and_finished());
SLIPSTREAM_HANDLER(convolution_input_gradient, run_input_gradient, windowed_and_finished());
SLIPSTREAM_HANDLER(convolution_kernel_gradient, run_kernel_gradient, windowed());

}  // namespace
}  // namespace slipstream
