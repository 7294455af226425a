// How windows lie over arrays (batch, three axes, channels), for operations that keep channels apart.
//
// A target is cut into lines, and a line into segments whose positions all see the same taps, none
// of them outside the source. So nothing is padded, and every loop is over whole tiles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "axes.h"
#include "handler.h"

namespace slipstream {

// Output position p takes input positions p * stride + k * dilation - low, k in the window.
struct Windows {
  int64_t batch;
  Sizes in, out, window, stride, dilation, low;
};

inline Windows windows_of(const Array& x, const Array& y, const Sizes& window, Numbers stride,
                          Numbers dilation, Numbers low) {
  const auto xs = x.dimensions(), ys = y.dimensions();
  Windows w{xs[0], {}, {}, window, {}, {}, {}};
  for (int a = 0; a < kAxes; ++a) {
    w.in[a] = xs[1 + a];
    w.out[a] = ys[1 + a];
    w.stride[a] = stride[a];
    w.dilation[a] = dilation[a];
    w.low[a] = low[a];
  }
  return w;
}

// Targets first + j * step, j < count, see the source at each tap's offset + j * advance.
struct Segment {
  int64_t first, step, count, advance;
  std::vector<Tap> taps;
};

inline int64_t divide_up(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }

// Along axis `a`: what each output position takes or, backwards, what each input position gave to.
inline std::vector<Segment> segments_of(const Windows& w, int a, bool backward) {
  const int64_t source = backward ? w.out[a] : w.in[a], target = backward ? w.in[a] : w.out[a];
  const int64_t phases = backward ? w.stride[a] : 1, advance = backward ? 1 : w.stride[a];
  struct Reach {
    int64_t from, index, begin, end;
  };
  std::vector<Segment> segments;
  for (int64_t phase = 0; phase < std::min(phases, target); ++phase) {
    const int64_t count = (target - phase + phases - 1) / phases;
    std::vector<Reach> reaches;
    std::vector<int64_t> edges{0, count};
    for (int64_t k = 0; k < w.window[a]; ++k) {
      int64_t from = k * w.dilation[a] - w.low[a];
      if (backward) {
        if ((phase - from) % phases != 0) continue;
        from = (phase - from) / phases;
      }
      const auto within = [&](int64_t j) { return std::min(std::max<int64_t>(j, 0), count); };
      reaches.push_back({from, k, within(divide_up(-from, advance)),
                         within(divide_up(source - from, advance))});
      edges.push_back(reaches.back().begin);
      edges.push_back(reaches.back().end);
    }
    std::sort(edges.begin(), edges.end());
    for (size_t i = 0; i + 1 < edges.size(); ++i) {
      const int64_t begin = edges[i], end = edges[i + 1];
      if (begin == end) continue;
      Segment segment{phase + begin * phases, phases, end - begin, advance, {}};
      for (const Reach& reach : reaches)
        if (reach.begin <= begin && end <= reach.end)
          segment.taps.push_back({reach.from + begin * advance, reach.index});
      segments.push_back(std::move(segment));
    }
  }
  return segments;
}

// All axes of an operation; its lines are along the last one.
class Plan {
 public:
  Sizes source, target;
  std::vector<Segment> segments;  // of a line

  Plan(const Windows& w, bool backward)
      : source(backward ? w.out : w.in),
        target(backward ? w.in : w.out),
        segments(segments_of(w, 2, backward)),
        window_(w.window) {
    for (int a = 0; a < 2; ++a) {
      places_[a].resize(target[a]);
      for (const Segment& segment : segments_of(w, a, backward))
        for (int64_t j = 0; j < segment.count; ++j)
          for (const Tap& tap : segment.taps)
            places_[a][segment.first + j * segment.step].push_back(
                {tap.offset + j * segment.advance, tap.index});
    }
  }

  int64_t lines() const { return target[0] * target[1]; }

  // Source lines that a line of the target sees, and where their taps begin in the window.
  void rows(int64_t line, std::vector<Tap>& found) const {
    found.clear();
    for (const Tap& plane : places_[0][line / target[1]])
      for (const Tap& row : places_[1][line % target[1]])
        found.push_back({plane.offset * source[1] + row.offset,
                         (plane.index * window_[1] + row.index) * window_[2]});
  }

 private:
  Sizes window_;
  std::array<std::vector<std::vector<Tap>>, 2> places_;  // taps of each position of two axes
};

// Positions of a line's segment in one image, in floats from the image's first.
struct Stretch {
  const std::vector<Tap>& taps;
  int64_t image, source_step, target, target_step, count;
};

// Calls body(stretch, cut) for stretches [begin, end) of all images; stretches are numbered line by
// line and tell their source positions in units of `source_channels`, likewise the target's.
template <class Body>
void for_stretches(const Plan& plan, int64_t source_channels, int64_t target_channels,
                   int64_t begin, int64_t end, const Body& body) {
  static thread_local std::vector<Tap> rows, taps;
  const int64_t segments = plan.segments.size();
  int64_t listed_line = -1, listed = -1;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t image = i / (plan.lines() * segments);
    const int64_t place = i % (plan.lines() * segments), line = place / segments;
    const Segment& segment = plan.segments[place % segments];
    if (line != listed_line) plan.rows(line, rows);
    listed_line = line;
    if (place != listed) {
      taps.clear();
      for (const Tap& row : rows)
        for (const Tap& tap : segment.taps)
          taps.push_back({(row.offset * plan.source[2] + tap.offset) * source_channels,
                          row.index + tap.index});
    }
    listed = place;
    body(Stretch{taps, image, segment.advance * source_channels,
                 (line * plan.target[2] + segment.first) * target_channels,
                 segment.step * target_channels, segment.count});
  }
}

// Calls body(V{}) with the widest vector that is not wider than the channels.
template <class Body>
void with_width(int64_t channels, const Body& body) {
  if (channels >= kLanes)
    body(Wide{});
  else if (channels >= 8)
    body(Vector<8>{});
  else if (channels >= 4)
    body(Vector<4>{});
  else
    body(Vector<1>{});
}

}  // namespace slipstream
