// Convolution over up to three axes, and its gradients for the input and for the kernel.
//
//   y[n, p, o] = sum over taps k, channels c of x[n, p * stride + k * dilation - low, c] * w[k, c, o]
//
// All three are products of windows with a matrix. Windows are never copied out one by one
// (im2col): a row of a product is a few runs of numbers in a frame, which is the part of the
// source that a block of results needs, padded with zeros. The gradient for the input is such a
// product too, one for each phase of the stride, with the kernel's taps in reverse.

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "handler.h"
#include "tile.h"
#include "winograd.h"

namespace slipstream {
namespace {

constexpr int kAxes = 3;
using Sizes = std::array<int64_t, kAxes>;

struct Tap {
  int64_t offset;  // from the window's first position
  int64_t index;   // in the kernel
};

// What a product does along one axis: result j, kept at target_first + j * target_step, sees the
// source at first + j * step + each tap's offset.
struct Axis {
  int64_t source;
  int64_t target;
  int64_t count;
  int64_t step;
  int64_t first;
  int64_t target_first;
  int64_t target_step;
  std::vector<Tap> taps;

  int64_t reach() const { return taps.empty() ? 0 : taps.back().offset + 1; }
  int64_t extent(int64_t results) const { return (results - 1) * step + reach(); }
  bool inside() const { return first >= 0 && first + extent(count) <= source; }
};
using Axes = std::array<Axis, kAxes>;

struct Convolution {
  int64_t batch, channels, filters, groups;
  Sizes in, out, window, stride, dilation, low;

  int64_t group_channels() const { return channels / groups; }
  int64_t group_filters() const { return filters / groups; }
  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
};

Convolution describe(const Array& x, const Array& kernel, const Array& y, Numbers stride,
                     Numbers dilation, Numbers low, int64_t groups) {
  const auto xs = x.dimensions(), ks = kernel.dimensions(), ys = y.dimensions();
  Convolution c{xs[0], xs[4], ks[4], groups, {}, {}, {}, {}, {}, {}};
  for (int a = 0; a < kAxes; ++a) {
    c.in[a] = xs[1 + a];
    c.out[a] = ys[1 + a];
    c.window[a] = ks[a];
    c.stride[a] = stride[a];
    c.dilation[a] = dilation[a];
    c.low[a] = low[a];
  }
  return c;
}

Axes forward_axes(const Convolution& c) {
  Axes axes;
  for (int a = 0; a < kAxes; ++a) {
    axes[a] = {c.in[a], c.out[a], c.out[a], c.stride[a], -c.low[a], 0, 1, {}};
    for (int64_t k = 0; k < c.window[a]; ++k) axes[a].taps.push_back({k * c.dilation[a], k});
  }
  return axes;
}

// Input positions i with (i + low) % stride == phase take taps k with k * dilation % stride ==
// phase: each meets the output at (i + low - k * dilation) / stride.
Axis backward_axis(const Convolution& c, int a, int64_t phase) {
  const int64_t stride = c.stride[a];
  const int64_t begin = ((phase - c.low[a]) % stride + stride) % stride;
  const int64_t count = begin < c.in[a] ? (c.in[a] - begin + stride - 1) / stride : 0;
  Axis axis{c.out[a], c.in[a], count, 1, 0, begin, stride, {}};
  int64_t furthest = 0;
  for (int64_t k = c.window[a] - 1; k >= 0; --k) {
    const int64_t distance = k * c.dilation[a] - phase;
    if (distance % stride != 0) continue;
    if (axis.taps.empty()) furthest = distance / stride;
    axis.taps.push_back({furthest - distance / stride, k});
  }
  axis.first = (begin + c.low[a] - phase) / stride - furthest;
  return axis;
}

// The blocks a product is worked through in: some images whole, or some lines of one image.
struct Blocks {
  int64_t images, lines;             // in a block
  int64_t image_blocks, line_blocks; // so many of them
  int64_t planes;

  Blocks(int64_t batch, const Axes& axes, int64_t channels, int64_t threads)
      : planes(axes[0].count) {
    constexpr int64_t enough = 144;           // rows for which a panel is worth loading
    constexpr int64_t most = 96 * 1024;       // floats of a frame, to stay in the second cache
    const int64_t pixels = axes[1].count * axes[2].count;
    const int64_t line = axes[0].reach() * axes[1].step * axes[2].extent(axes[2].count) * channels;
    images = std::max<int64_t>(1, std::min(enough / std::max<int64_t>(pixels, 1),
                                           batch * planes / (2 * threads)));
    if (planes > 1) images = 1;
    lines = axes[1].count;
    if (images == 1) {
      lines = std::min(lines, std::max<int64_t>(most / std::max<int64_t>(line, 1), 1));
      const int64_t wanted = (2 * threads + batch * planes - 1) / (batch * planes);
      lines = std::min(lines, (axes[1].count + wanted - 1) / wanted);
      const int64_t least = (24 + axes[2].count - 1) / axes[2].count;
      lines = std::min(axes[1].count, std::max(lines, least));
    }
    image_blocks = (batch + images - 1) / images;
    line_blocks = (axes[1].count + lines - 1) / lines;
  }
  int64_t count() const { return image_blocks * planes * line_blocks; }
};

struct Block {
  int64_t image, images, plane, line, lines;
};

Block block_at(const Blocks& blocks, int64_t index, int64_t batch, const Axes& axes) {
  const int64_t line = index % blocks.line_blocks * blocks.lines;
  index /= blocks.line_blocks;
  const int64_t plane = index % blocks.planes;
  const int64_t image = index / blocks.planes * blocks.images;
  return {image, std::min(blocks.images, batch - image), plane, line,
          std::min(blocks.lines, axes[1].count - line)};
}

// How the windows of a block lie in memory: in the source itself where nothing is padded.
struct Frame {
  bool direct;
  int64_t image, plane, row;  // floats from one to the next

  Frame(const Axes& axes, const Blocks& blocks, int64_t channels, bool floats) {
    direct = floats && axes[0].inside() && axes[1].inside() && axes[2].inside();
    if (direct) {
      row = axes[2].source * channels;
      plane = axes[1].source * row;
      image = axes[0].source * plane;
    } else {
      row = axes[2].extent(axes[2].count) * channels;
      plane = axes[1].extent(blocks.lines) * row;
      image = axes[0].reach() * plane;
    }
  }
};

void copy_floats(const float* from, int64_t count, float* to) {
  std::memcpy(to, from, count * sizeof(float));
}
void copy_floats(const BFloat16* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load<Wide>(from + i));
  for (; i < count; ++i) to[i] = to_float(from[i]);
}

// The part of the source that a block's windows cover, zeros outside it.
template <class T>
const float* frame_of(const T* source, const Axes& axes, const Block& block, const Frame& frame,
                      int64_t channels, Scratch& scratch) {
  const int64_t first[] = {axes[0].first + block.plane * axes[0].step,
                           axes[1].first + block.line * axes[1].step, axes[2].first};
  const int64_t line = axes[2].source * channels;
  const int64_t image = axes[0].source * axes[1].source * line;
  if constexpr (std::is_same_v<T, float>)
    if (frame.direct)
      return source + block.image * image +
             (first[0] * axes[1].source + first[1]) * line + first[2] * channels;
  float* const copy = scratch.get(block.images * frame.image);
  const int64_t columns = axes[2].extent(axes[2].count);
  const int64_t begin = std::min(columns, std::max<int64_t>(0, -first[2]));
  const int64_t end = std::max(begin, std::min(columns, axes[2].source - first[2]));
  for (int64_t n = 0; n < block.images; ++n)
    for (int64_t d = 0; d < axes[0].reach(); ++d)
      for (int64_t h = 0; h < axes[1].extent(block.lines); ++h) {
        float* const to = copy + n * frame.image + d * frame.plane + h * frame.row;
        const int64_t depth = first[0] + d, height = first[1] + h;
        if (depth < 0 || depth >= axes[0].source || height < 0 || height >= axes[1].source) {
          std::memset(to, 0, frame.row * sizeof(float));
          continue;
        }
        const T* const from = source + (block.image + n) * image +
                              (depth * axes[1].source + height) * line + first[2] * channels;
        std::memset(to, 0, begin * channels * sizeof(float));
        copy_floats(from + begin * channels, (end - begin) * channels, to + begin * channels);
        std::memset(to + end * channels, 0, (columns - end) * channels * sizeof(float));
      }
  return copy;
}

// Where a window's numbers lie in the frame; taps side by side make one run.
std::vector<Run> runs_of(const Axes& axes, const Frame& frame, int64_t channels, int64_t groups,
                         int64_t group) {
  const int64_t length = channels / groups;
  std::vector<Run> runs;
  for (const Tap& d : axes[0].taps)
    for (const Tap& h : axes[1].taps)
      for (const Tap& w : axes[2].taps) {
        const int64_t offset = d.offset * frame.plane + h.offset * frame.row +
                               w.offset * channels + group * length;
        if (!runs.empty() && runs.back().offset + runs.back().length == offset)
          runs.back().length += length;
        else
          runs.push_back({offset, length});
      }
  return runs;
}

// Where each window of a whole block begins in its frame, and its result in the target.
struct Places {
  std::vector<int64_t> from, to;

  Places(const Axes& axes, const Blocks& blocks, const Frame& frame, int64_t source_channels,
         int64_t target_channels) {
    const int64_t target = axes[0].target * axes[1].target * axes[2].target * target_channels;
    for (int64_t n = 0; n < blocks.images; ++n)
      for (int64_t h = 0; h < blocks.lines; ++h)
        for (int64_t w = 0; w < axes[2].count; ++w) {
          from.push_back(n * frame.image + h * axes[1].step * frame.row +
                         w * axes[2].step * source_channels);
          to.push_back(n * target + (h * axes[1].target_step * axes[2].target +
                                     w * axes[2].target_step) *
                                        target_channels);
        }
  }
};

// Targets of a product: each window times one matrix a group. at(tap, k, j) is the number of the
// matrix for the k-th channel of the source and the j-th of the target, in the group.
template <class T, class At>
void correlate(Threads& threads, const T* source, int64_t batch, const Axes& axes,
               int64_t source_channels, int64_t target_channels, int64_t groups, T* target,
               const At& at) {
  const int64_t depth_channels = source_channels / groups;
  const int64_t taps = axes[0].taps.size() * axes[1].taps.size() * axes[2].taps.size();
  const int64_t depth = taps * depth_channels;
  const std::vector<Panel> panels = panels_of(target_channels / groups);
  const int64_t matrix = packed_columns(panels) * depth;

  static thread_local Scratch packing;
  float* const packed = packing.get(groups * matrix);
  const int64_t grain = std::max<int64_t>(1, 32768 / (matrix / std::max<int64_t>(taps, 1) + 1));
  parallel_ranges(threads, groups * taps, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i / taps, tap = i % taps;
      const int64_t across = axes[1].taps.size() * axes[2].taps.size();
      const Sizes index{axes[0].taps[tap / across].index,
                        axes[1].taps[tap % across / axes[2].taps.size()].index,
                        axes[2].taps[tap % axes[2].taps.size()].index};
      const int64_t from = tap * depth_channels;
      pack(panels, depth, from, from + depth_channels, packed + group * matrix,
           [&](int64_t k, int64_t j) { return at(index, group, k - from, j); });
    }
  });

  const Blocks blocks(batch, axes, source_channels, thread_count(threads));
  const Frame frame(axes, blocks, source_channels, std::is_same_v<T, float>);
  const Places places(axes, blocks, frame, source_channels, target_channels);
  std::vector<std::vector<Run>> runs;
  for (int64_t g = 0; g < groups; ++g)
    runs.push_back(runs_of(axes, frame, source_channels, groups, g));

  parallel_for(threads, blocks.count(), [&](int64_t index) {
    static thread_local Scratch scratch;
    const Block block = block_at(blocks, index, batch, axes);
    const int64_t plane = axes[0].target_first + block.plane * axes[0].target_step;
    const int64_t line = axes[1].target_first + block.line * axes[1].target_step;
    T* const to = target + (((block.image * axes[0].target + plane) * axes[1].target + line) *
                                axes[2].target +
                            axes[2].target_first) *
                               target_channels;
    const float* const from = frame_of(source, axes, block, frame, source_channels, scratch);
    const int64_t rows = block.images * block.lines * axes[2].count;
    for (int64_t g = 0; g < groups; ++g)
      multiply(Rows<T>{from, places.from.data(), to + g * (target_channels / groups),
                       places.to.data(), rows},
               runs[g], depth, panels, packed + g * matrix);
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
void forward(Threads& threads, const Convolution& c, const T* x, const T* kernel, T* y) {
  const int64_t channels = c.group_channels(), filters = c.group_filters();
  if (suits_winograd(c, 256 * 256))
    return winograd(threads, plane_of(c), x, y, [&](int i, int j, int64_t k, int64_t o) {
      return to_float(kernel[((3 * i + j) * channels + k) * filters + o]);
    });
  correlate(threads, x, c.batch, forward_axes(c), c.channels, c.filters, c.groups, y,
            [&](const Sizes& tap, int64_t group, int64_t k, int64_t j) {
              const int64_t at = (tap[0] * c.window[1] + tap[1]) * c.window[2] + tap[2];
              return to_float(kernel[(at * channels + k) * c.filters + group * filters + j]);
            });
}

template <class T>
void input_gradient(Threads& threads, const Convolution& c, const T* dy, const T* kernel, T* dx) {
  const int64_t channels = c.group_channels(), filters = c.group_filters();
  if (suits_winograd(c, 256 * 256)) {
    const Plane turned{c.batch,  c.out[1],   c.out[2],       c.filters,     c.in[1],
                       c.in[2],  c.channels, 2 - c.low[1],   2 - c.low[2]};
    return winograd(threads, turned, dy, dx, [&](int i, int j, int64_t o, int64_t k) {
      return to_float(kernel[((8 - 3 * i - j) * channels + k) * filters + o]);
    });
  }
  Sizes phase;
  bool gaps = false;
  for (int a = 0; a < kAxes; ++a) gaps |= c.stride[a] > 1;
  if (gaps) std::memset(dx, 0, c.batch * c.in_size() * c.channels * sizeof(T));
  for (phase[0] = 0; phase[0] < c.stride[0]; ++phase[0])
    for (phase[1] = 0; phase[1] < c.stride[1]; ++phase[1])
      for (phase[2] = 0; phase[2] < c.stride[2]; ++phase[2]) {
        Axes axes;
        bool empty = false;
        for (int a = 0; a < kAxes; ++a) {
          axes[a] = backward_axis(c, a, phase[a]);
          empty |= axes[a].taps.empty() || axes[a].count == 0;
        }
        if (empty) continue;
        correlate(threads, dy, c.batch, axes, c.filters, c.channels, c.groups, dx,
                  [&](const Sizes& tap, int64_t group, int64_t k, int64_t j) {
                    const int64_t at = (tap[0] * c.window[1] + tap[1]) * c.window[2] + tap[2];
                    return to_float(kernel[(at * channels + j) * c.filters + group * filters + k]);
                  });
      }
}

// sums[r][v] += source[from[p] + r] * gradient[p, v] over positions p.
template <class V, int VECTORS, int ROWS>
void accumulate_tile(const float* source, const int64_t* from, const float* gradient,
                     int64_t positions, float* sums, int64_t rows) {
  constexpr int lanes = kSize<V>;
  constexpr int width = VECTORS * lanes;
  V held[ROWS][VECTORS];
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < VECTORS; ++v)
      held[r][v] = r < rows ? load<V>(sums + r * width + v * lanes) : V{};
  for (int64_t p = 0; p < positions; ++p, gradient += width) {
    const float* const at = source + from[p];
    V column[VECTORS];
    for (int v = 0; v < VECTORS; ++v) column[v] = load<V>(gradient + v * lanes);
    for (int r = 0; r < ROWS; ++r)
      for (int v = 0; v < VECTORS; ++v) held[r][v] += at[r] * column[v];
  }
  for (int r = 0; r < ROWS; ++r)
    if (r < rows)
      for (int v = 0; v < VECTORS; ++v) store(sums + r * width + v * lanes, held[r][v]);
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
      for (int64_t g = 0; g < c.groups; ++g) {
        std::vector<Run> runs = runs_of(axes, frame, c.channels, c.groups, g);
        const float* const gradient = gradient_of(dy, c, block, g, panels, grading);
        const float* source = windows;
        const int64_t* from = places.from.data();
        if (runs.size() > 1 && runs[0].length < kTileRows<2>) {  // windows side by side
          float* const spread = spreading.get(positions * depth + kLanes);
          spread_from.resize(block_rows);
          for (int64_t p = 0; p < positions; ++p) {
            float* to = spread + p * depth;
            for (const Run& run : runs) {
              const float* const at = windows + places.from[p] + run.offset;
              for (int64_t k = 0; k < run.length; ++k) to[k] = at[k];
              to += run.length;
            }
            spread_from[p] = p * depth;
          }
          source = spread;
          from = spread_from.data();
          runs = {{0, depth}};
        }
        for (const Panel& panel : panels) {
          float* to = sums + (part * c.groups + g) * matrix + panel.packed * depth;
          const float* const column = gradient + panel.packed * positions;
          for (const Run& run : runs) {
            const float* const at = source + run.offset;
            if (panel.width == 2 * kLanes)
              accumulate_panel<Wide, 2>(at, from, run.length, column, positions, to);
            else if (panel.width == kLanes)
              accumulate_panel<Wide, 1>(at, from, run.length, column, positions, to);
            else if (panel.width == 8)
              accumulate_panel<Vector<8>, 1>(at, from, run.length, column, positions, to);
            else
              accumulate_panel<Vector<4>, 1>(at, from, run.length, column, positions, to);
            to += run.length * panel.width;
          }
        }
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

ffi::Error run_forward(Threads threads, Array x, Array kernel, Numbers stride, Numbers dilation,
                       Numbers low, int64_t groups, Output y) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const Convolution c = describe(x, kernel, *y, stride, dilation, low, groups);
    forward(threads, c, data<T>(x), data<T>(kernel), data<T>(y));
    return ffi::Error::Success();
  });
}

ffi::Error run_input_gradient(Threads threads, Array dy, Array kernel, Numbers stride,
                              Numbers dilation, Numbers low, int64_t groups, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    const Convolution c = describe(*dx, kernel, dy, stride, dilation, low, groups);
    input_gradient(threads, c, data<T>(dy), data<T>(kernel), data<T>(dx));
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

auto binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<Numbers>("stride")
      .Attr<Numbers>("dilation")
      .Attr<Numbers>("low")
      .Attr<int64_t>("groups")
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(convolution, run_forward, binding());
SLIPSTREAM_HANDLER(convolution_input_gradient, run_input_gradient, binding());
SLIPSTREAM_HANDLER(convolution_kernel_gradient, run_kernel_gradient, binding());

}  // namespace
}  // namespace slipstream
