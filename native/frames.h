// How a convolution's windows lie over its source: axes, blocks of results, and frames, which are
// the parts of the source that blocks need.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "axes.h"
#include "handler.h"
#include "tile.h"

namespace slipstream {

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

inline Convolution describe(const Array& x, const Array& kernel, const Array& y, Numbers stride,
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

inline Axes forward_axes(const Convolution& c) {
  Axes axes;
  for (int a = 0; a < kAxes; ++a) {
    axes[a] = {c.in[a], c.out[a], c.out[a], c.stride[a], -c.low[a], 0, 1, {}};
    for (int64_t k = 0; k < c.window[a]; ++k) axes[a].taps.push_back({k * c.dilation[a], k});
  }
  return axes;
}

// Input positions i with (i + low) % stride == phase take taps k with k * dilation % stride ==
// phase: each meets the output at (i + low - k * dilation) / stride.
inline Axis backward_axis(const Convolution& c, int a, int64_t phase) {
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

inline Block block_at(const Blocks& blocks, int64_t index, int64_t batch, const Axes& axes) {
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

inline void copy_floats(const float* from, int64_t count, float* to) {
  std::memcpy(to, from, count * sizeof(float));
}
inline void copy_floats(const BFloat16* from, int64_t count, float* to) {
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

// Some of the taps along an axis.
struct Span {
  int64_t from, to;
  bool operator==(const Span& other) const { return from == other.from && to == other.to; }
};

// Where a window's numbers lie in the frame, and which of the matrix's rows they meet; taps side by
// side make one run.
inline std::vector<Run> runs_of(const Axes& axes, Span planes, Span lines, const Frame& frame,
                                int64_t channels, int64_t groups, int64_t group) {
  const int64_t length = channels / groups;
  std::vector<Run> runs;
  for (int64_t d = planes.from; d < planes.to; ++d)
    for (int64_t h = lines.from; h < lines.to; ++h) {
      int64_t row = (d * axes[1].taps.size() + h) * axes[2].taps.size() * length;
      for (const Tap& w : axes[2].taps) {
        const int64_t offset = axes[0].taps[d].offset * frame.plane +
                               axes[1].taps[h].offset * frame.row + w.offset * channels +
                               group * length;
        const bool beside = !runs.empty() && runs.back().offset + runs.back().length == offset &&
                            runs.back().row + runs.back().length == row;
        if (beside)
          runs.back().length += length;
        else
          runs.push_back({offset, length, row});
        row += length;
      }
    }
  return runs;
}

inline Span all_taps(const Axis& axis) { return {0, static_cast<int64_t>(axis.taps.size())}; }

// Taps of the axis that lie inside the source for its result j.
inline Span taps_inside(const Axis& axis, int64_t j) {
  const auto inside = [&](const Tap& tap) {
    const int64_t at = axis.first + j * axis.step + tap.offset;
    return at >= 0 && at < axis.source;
  };
  Span span = all_taps(axis);
  while (span.from < span.to && !inside(axis.taps[span.from])) ++span.from;
  while (span.to > span.from && !inside(axis.taps[span.to - 1])) --span.to;
  return span;
}

// Calls body(begin, end, taps) for the block's lines that see the same taps; those that lie in the
// padding are left out. Images that are worked on together stay together.
template <class Body>
void for_lines(const Axes& axes, const Block& block, const Body& body) {
  if (block.images > 1) return body(int64_t{0}, block.lines, all_taps(axes[1]));
  for (int64_t begin = 0, end; begin < block.lines; begin = end) {
    const Span taps = taps_inside(axes[1], block.line + begin);
    for (end = begin + 1; end < block.lines; ++end)
      if (!(taps_inside(axes[1], block.line + end) == taps)) break;
    body(begin, end, taps);
  }
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

}  // namespace slipstream
