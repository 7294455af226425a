// Copies of a source whose channels are few, or have several filters each.
//
// Lines are copied with channels repeated for each filter, zeros around them, and the positions
// that a stride skips set apart. Then neighbouring positions are one run of numbers, and a vector
// may hold several of them.
#pragma once

#include <cstring>
#include <numeric>
#include <vector>

#include "convert.h"
#include "depthwise.h"

namespace slipstream {

// A line's copy: `row` numbers hold `group` positions.
struct DepthwiseFrame {
  Windows windows;  // along the last axis those of the frame, which holds all they reach
  int64_t first;    // source position where it begins
  int64_t width, steps, run, numbers, row, group;

  DepthwiseFrame(const Depthwise& d, bool backward) : windows(d.windows), numbers(d.filters()) {
    Windows& w = windows;
    const int64_t reach = (w.window[2] - 1) * w.dilation[2];
    if (backward) {
      first = -divide_up(reach - w.low[2], w.stride[2]);
      w.low[2] -= first * w.stride[2];
      width = w.out[2] = (w.in[2] - 1 + w.low[2]) / w.stride[2] + 1;
      steps = 1;
    } else {
      first = -w.low[2];
      w.low[2] = 0;
      width = w.in[2] = (w.out[2] - 1) * w.stride[2] + reach + 1;
      steps = w.stride[2];
    }
    run = divide_up(width, steps);
    group = numbers >= kLanes ? 1 : kLanes / std::gcd<int64_t>(numbers, kLanes);
    row = numbers * group;
  }

  int64_t line() const { return steps * run * numbers + row; }
  int64_t at(int64_t position) const {
    return (position % steps * run + position / steps) * numbers;
  }

  template <class T>
  void fill(const T* source, int64_t size, int64_t channels, float* to) const {
    std::memset(to, 0, line() * sizeof(float));
    const int64_t begin = std::max<int64_t>(0, -first), end = std::min(width, size - first);
    if (begin >= end) return;
    source += (begin + first) * channels;
    if (steps == 1 && channels == numbers) {
      convert(source, (end - begin) * channels, to + begin * channels);
      return;
    }
    const int64_t repeats = numbers / channels;
    for (int64_t position = begin; position < end; ++position, source += channels) {
      float* number = to + at(position);
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t m = 0; m < repeats; ++m) *number++ = to_float(source[c]);
    }
  }
};

// Calls body(part, line, copies, taps, segment) for the segments of all images' lines, with taps in
// floats from where the copies begin.
template <class T, class Body>
void for_framed(Threads& threads, const DepthwiseFrame& frame, const Plan& plan, const T* source,
                int64_t size, int64_t channels, int64_t parts, const Body& body) {
  const int64_t lines = plan.lines(), all = frame.windows.batch * lines;
  const int64_t most = std::max<int64_t>(1, 64 * 1024 / frame.line());  // to stay in the cache
  parallel_for(threads, parts, [&](int64_t part) {
    static thread_local Scratch scratch;
    static thread_local std::vector<Tap> rows, taps;
    std::vector<int64_t> place(plan.source[0] * plan.source[1]), held;
    const int64_t stop = (part + 1) * all / parts;
    for (int64_t begin = part * all / parts; begin < stop;) {
      // As many lines of one image as share a frame.
      const int64_t image = begin / lines;
      std::fill(place.begin(), place.end(), -1);
      held.clear();
      int64_t end = begin;
      for (; end < std::min(stop, (image + 1) * lines); ++end) {
        plan.rows(end % lines, rows);
        if (end > begin && static_cast<int64_t>(held.size() + rows.size()) > most) break;
        for (const Tap& row : rows)
          if (place[row.offset] < 0) {
            place[row.offset] = held.size();
            held.push_back(row.offset);
          }
      }
      float* const copies = scratch.get(held.size() * frame.line() + kLanes);
      for (size_t i = 0; i < held.size(); ++i)
        frame.fill(source + (image * place.size() + held[i]) * size * channels, size, channels,
                   copies + i * frame.line());
      for (; begin < end; ++begin) {
        plan.rows(begin % lines, rows);
        for (const Segment& segment : plan.segments) {
          taps.clear();
          for (const Tap& row : rows)
            for (const Tap& tap : segment.taps)
              taps.push_back({place[row.offset] * frame.line() + frame.at(tap.offset),
                              row.index + tap.index});
          body(part, begin, copies, taps, segment);
        }
      }
    }
  });
}

}  // namespace slipstream
