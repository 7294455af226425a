// Convolution of each channel by itself, and its gradients for the input and for the kernel.
//
//   y[n, p, c * M + m] = sum over taps k of x[n, p * stride + k * dilation - low, c] * w[k, c, m]
//
// Vectors run along the channels and a tile holds several positions, so that a weight is loaded
// once for all of them. Where channels are few, or have several filters each (M > 1), a block of
// the source is copied out first: channels repeated M times, zeros around it, and the positions
// that a stride skips set apart. Then neighbouring positions are one run of numbers, and a vector
// may hold several of them.

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "finish.h"
#include "windows.h"

namespace slipstream {
namespace {

struct Depthwise {
  Windows windows;
  int64_t channels, multiplier;

  int64_t filters() const { return channels * multiplier; }
  int64_t taps() const { return volume(windows.window); }
  // Few channels fill no vector, and repeated ones are nowhere side by side.
  bool plain() const { return multiplier == 1 && channels >= std::min(8, kLanes); }
};

Depthwise describe(const Array& x, const Array& kernel, const Array& y, Numbers stride,
                   Numbers dilation, Numbers low, int64_t channels) {
  const auto ks = kernel.dimensions();
  return {windows_of(x, y, {ks[0], ks[1], ks[2]}, stride, dilation, low), channels,
          ks[4] / channels};
}

// Calls body(V{}) with vectors that the channels of plain arrays, or the rows of frames, fill.
template <class Body>
void with_vectors(int64_t row, const Body& body) {
  if (row >= kLanes)
    body(Wide{});
  else
    body(Vector<std::min(8, kLanes)>{});
}

template <int N>
using Count = std::integral_constant<int, N>;

// The first number of each vector of a row; the last vector may begin before the others end.
template <class V>
SLIPSTREAM_INLINE int64_t vector_at(int64_t i, int64_t row) {
  return std::min(i * kSize<V>, row - kSize<V>);
}
template <class V>
int64_t whole(int64_t row) {
  return divide_up(row, kSize<V>) * kSize<V>;
}

// Numbers from here to what the next line will want. Vectors of one channel lie far apart, so that
// the processor does not see by itself what comes next.
struct Ahead {
  int64_t source = 0, target = 0;
};

template <class V, int COUNT, class T, class R>
SLIPSTREAM_INLINE void correlate_tile(const T* source, int64_t source_step,
                                      const std::vector<Tap>& taps, const float* weights,
                                      R* target, int64_t target_step, const Finish& finish,
                                      int64_t column, const Ahead& ahead) {
  V sums[COUNT];
  for (int p = 0; p < COUNT; ++p) sums[p] = V{};
  for (const Tap& tap : taps) {
    const V weight = load<V>(weights + tap.index * kSize<V>);
    const T* const at = source + tap.offset;
    for (int p = 0; p < COUNT; ++p) sums[p] += load<V>(at + p * source_step) * weight;
  }
  for (int p = 0; p < COUNT; ++p) {
    store(target + p * target_step, finish(sums[p], column));
    if (ahead.source == 0 || taps.empty()) continue;
    __builtin_prefetch(source + taps.back().offset + ahead.source + p * source_step);
    __builtin_prefetch(target + ahead.target + p * target_step, 1);
  }
}

// The same where taps are runs of RUN neighbouring positions: each number is loaded once for all
// taps of a run that want it.
template <class V, int COUNT, int RUN, class T, class R>
SLIPSTREAM_INLINE void correlate_runs(const T* source, int64_t source_step,
                                      const std::vector<Tap>& taps, bool rising,
                                      const float* weights, R* target, int64_t target_step,
                                      const Finish& finish, int64_t column, const Ahead& ahead) {
  V sums[COUNT];
  for (int p = 0; p < COUNT; ++p) sums[p] = V{};
  const T* at = nullptr;
  for (size_t t = 0; t < taps.size(); t += RUN) {
    V weight[RUN];
    for (int k = 0; k < RUN; ++k)
      weight[k] = load<V>(weights + taps[rising ? t + k : t + RUN - 1 - k].index * kSize<V>);
    at = source + taps[rising ? t : t + RUN - 1].offset;
    for (int j = 0; j < COUNT + RUN - 1; ++j) {
      const V value = load<V>(at + j * source_step);
      for (int k = 0; k < RUN; ++k)
        if (j - k >= 0 && j - k < COUNT) sums[j - k] += value * weight[k];
    }
  }
  for (int p = 0; p < COUNT; ++p) {
    store(target + p * target_step, finish(sums[p], column));
    __builtin_prefetch(at + ahead.source + p * source_step);
    __builtin_prefetch(target + ahead.target + p * target_step, 1);
  }
}

// Whether taps are runs of `length` neighbours: 1 for rising ones, -1 for falling ones, else 0.
inline int runs_of(int64_t length, const std::vector<Tap>& taps, int64_t step) {
  if (taps.size() % length || taps.size() < 2) return 0;
  const int sign = taps[1].offset > taps[0].offset ? 1 : -1;
  for (size_t t = 1; t < taps.size(); ++t)
    if (t % length && taps[t].offset - taps[t - 1].offset != sign * step) return 0;
  return sign;
}

// Sums over taps for `count` positions of `row` numbers; `depth` vectors of weights for each of
// theirs.
template <class V, class T, class R>
void correlate(const T* source, int64_t source_step, const std::vector<Tap>& taps,
               const float* weights, int64_t depth, int64_t row, R* target, int64_t target_step,
               int64_t count, const Finish& finish, const Ahead& ahead = {}) {
  const auto tiles = [&](auto size, int64_t p) {
    for (int64_t i = 0; i * kSize<V> < row; ++i) {
      const int64_t c = vector_at<V>(i, row);
      correlate_tile<V, decltype(size)::value>(source + p * source_step + c, source_step, taps,
                                               weights + i * depth * kSize<V>,
                                               target + p * target_step + c, target_step, finish, c,
                                               ahead);
    }
  };
  int64_t p = 0;
  const auto runs = [&](auto length) {
    constexpr int run = decltype(length)::value;
    const int sign = count < 8 ? 0 : runs_of(run, taps, source_step);
    for (; sign && p + 8 <= count; p += 8)
      for (int64_t i = 0; i * kSize<V> < row; ++i) {
        const int64_t c = vector_at<V>(i, row);
        correlate_runs<V, 8, run>(source + p * source_step + c, source_step, taps, sign > 0,
                                  weights + i * depth * kSize<V>, target + p * target_step + c,
                                  target_step, finish, c, ahead);
      }
  };
  runs(Count<3>{});
  runs(Count<5>{});
  for (; p + 8 <= count; p += 8) tiles(Count<8>{}, p);
  for (; p + 4 <= count; p += 4) tiles(Count<4>{}, p);
  for (; p + 2 <= count; p += 2) tiles(Count<2>{}, p);
  for (; p < count; ++p) tiles(Count<1>{}, p);
}

template <class V, int COUNT, class T, class R>
SLIPSTREAM_INLINE void accumulate_tile(const T* source, int64_t source_step, const Tap* taps,
                                       const R* gradient, int64_t gradient_step, int64_t count,
                                       float* sums, int64_t row) {
  V held[COUNT];
  for (int t = 0; t < COUNT; ++t) held[t] = V{};
  for (int64_t p = 0; p < count; ++p) {
    const V value = load<V>(gradient + p * gradient_step);
    for (int t = 0; t < COUNT; ++t)
      held[t] += load<V>(source + taps[t].offset + p * source_step) * value;
  }
  for (int t = 0; t < COUNT; ++t) {
    float* const to = sums + taps[t].index * row;
    store(to, load<V>(to) + held[t]);
  }
}

// sums[tap] += source * gradient over `count` positions of `row` numbers, a vector after another.
template <class V, class T, class R>
void accumulate(const T* source, int64_t source_step, const std::vector<Tap>& taps,
                const R* gradient, int64_t gradient_step, int64_t count, int64_t row,
                float* sums) {
  constexpr int64_t run = 32;  // positions that the first cache holds
  for (int64_t p = 0; p < count; p += run) {
    const auto tiles = [&](auto size, size_t t) {
      for (int64_t i = 0; i * kSize<V> < row; ++i) {
        const int64_t c = vector_at<V>(i, row);
        accumulate_tile<V, decltype(size)::value>(
            source + p * source_step + c, source_step, taps.data() + t,
            gradient + p * gradient_step + c, gradient_step, std::min(run, count - p),
            sums + i * kSize<V>, whole<V>(row));
      }
    };
    size_t t = 0;
    for (; t + 9 <= taps.size(); t += 9) tiles(Count<9>{}, t);
    for (; t + 6 <= taps.size(); t += 6) tiles(Count<6>{}, t);
    for (; t + 3 <= taps.size(); t += 3) tiles(Count<3>{}, t);
    for (; t < taps.size(); ++t) tiles(Count<1>{}, t);
  }
}

template <class From, class To>
void copy(const From* from, int64_t count, To* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load<Wide>(from + i));
  for (; i < count; ++i) to[i] = from_float<To>(to_float(from[i]));
}

// Weights as `correlate` reads them; a row may hold those of several positions.
template <class V, class T>
const float* pack(const Depthwise& d, const T* kernel, int64_t row, Scratch& scratch) {
  constexpr int64_t lanes = kSize<V>;
  float* const packed = scratch.get(d.taps() * whole<V>(row));
  float* to = packed;
  for (int64_t i = 0; i * lanes < row; ++i)
    for (int64_t tap = 0; tap < d.taps(); ++tap)
      for (int64_t lane = 0; lane < lanes; ++lane)
        *to++ = to_float(kernel[tap * d.filters() + (vector_at<V>(i, row) + lane) % d.filters()]);
  return packed;
}

// Lines of a source as the copies described above: `row` numbers hold `group` positions.
struct Frame {
  Windows windows;  // along the last axis those of the frame, which holds all they reach
  int64_t first;    // source position where it begins
  int64_t width, steps, run, numbers, row, group;

  Frame(const Depthwise& d, bool backward) : windows(d.windows), numbers(d.filters()) {
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
      copy(source, (end - begin) * channels, to + begin * channels);
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

// Calls body(image, line, taps of a segment, segment) with taps in floats from the frame's start.
template <class T, class Body>
void for_framed(Threads& threads, const Frame& frame, const Plan& plan, const T* source,
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

int64_t parts_of(int64_t items, int64_t work, int64_t most) {
  return std::max<int64_t>(1, std::min({items, work / 32768, most}));
}

// y from x or, backwards, dx from dy.
template <class T>
void run_plain(Threads& threads, const Depthwise& d, bool backward, const T* source,
               const T* kernel, const Finish& finish, T* target) {
  const Plan plan(d.windows, backward);
  const int64_t channels = d.channels, stretches = plan.lines() * plan.segments.size();
  const int64_t all = d.windows.batch * stretches, depth = d.taps();
  const int64_t work = d.windows.batch * volume(plan.target) * channels * depth;
  const int64_t parts = parts_of(all, work, 4 * thread_count(threads));
  const Ahead ahead = {plan.source[2] * channels, plan.target[2] * channels};
  with_vectors(channels, [&](auto width) {
    using V = decltype(width);
    static thread_local Scratch packing;
    const float* const weights = pack<V>(d, kernel, channels, packing);
    parallel_for(threads, parts, [&](int64_t part) {
      for_stretches(plan, channels, channels, part * all / parts, (part + 1) * all / parts,
                    [&](const Stretch& s) {
                      const T* const from = source + s.image * volume(plan.source) * channels;
                      T* const to = target + s.image * volume(plan.target) * channels + s.target;
                      correlate<V>(from, s.source_step, s.taps, weights, depth, channels, to,
                                   s.target_step, s.count, finish, ahead);
                    });
    });
  });
}

template <class T>
void run_framed(Threads& threads, const Depthwise& d, bool backward, const T* source,
                const T* kernel, const Finish& finish, T* target) {
  const Frame frame(d, backward);
  const Plan plan(frame.windows, backward);
  const int64_t filters = d.filters(), fold = backward ? d.multiplier : 1;
  const int64_t source_channels = backward ? filters : d.channels;
  const int64_t target_channels = backward ? d.channels : filters;
  static thread_local Scratch packing;
  const float* const weights = pack<Wide>(d, kernel, frame.row, packing);
  const int64_t lines = d.windows.batch * plan.lines();
  const int64_t parts = parts_of(lines, lines * plan.target[2] * filters * d.taps(),
                                 4 * thread_count(threads));
  const int64_t size = backward ? d.windows.out[2] : d.windows.in[2];
  for_framed(threads, frame, plan, source, size, source_channels, parts,
             [&](int64_t, int64_t line, const float* copies, const std::vector<Tap>& taps,
                 const Segment& segment) {
               static thread_local Scratch resulting;
               const int64_t groups = divide_up(segment.count, frame.group);
               float* const results = resulting.get(groups * frame.row);
               correlate<Wide>(copies, frame.row, taps, weights, d.taps(), frame.row, results,
                               frame.row, groups, finish);
               T* to = target + (line * plan.target[2] + segment.first) * target_channels;
               if (segment.step == 1 && fold == 1) {
                 copy(results, segment.count * filters, to);
                 return;
               }
               const float* number = results;
               for (int64_t j = 0; j < segment.count; ++j, to += segment.step * target_channels)
                 for (int64_t c = 0; c < target_channels; ++c) {
                   float sum = 0.0f;
                   for (int64_t m = 0; m < fold; ++m) sum += *number++;
                   to[c] = from_float<T>(sum);
                 }
             });
}

// Sums of the kernel's gradient that parts of the work take apart; added up in the parts' order, so
// that results repeat.
template <class V>
class PartialSums {
 public:
  PartialSums(int64_t parts, int64_t taps, int64_t row)
      : parts_(parts), taps_(taps), row_(row), sums_(memory().get(parts * part_size())) {
    std::memset(sums_, 0, parts * part_size() * sizeof(float));
  }
  float* part(int64_t part) const { return sums_ + part * part_size(); }

  template <class T>
  void add_up(int64_t filters, T* dw) const {
    for (int64_t tap = 0; tap < taps_; ++tap)
      for (int64_t f = 0; f < filters; ++f) {
        float total = 0.0f;
        for (int64_t p = 0; p < parts_; ++p)
          for (int64_t i = f; i < row_; i += filters) {  // positions of a group
            const int64_t vector = i / kSize<V>;
            total += part(p)[tap * whole<V>(row_) + vector * kSize<V> + i -
                             vector_at<V>(vector, row_)];
          }
        dw[tap * filters + f] = from_float<T>(total);
      }
  }

 private:
  int64_t part_size() const { return taps_ * whole<V>(row_); }
  static Scratch& memory() {
    static thread_local Scratch scratch;
    return scratch;
  }
  int64_t parts_, taps_, row_;
  float* sums_;
};

template <class T>
void plain_kernel_gradient(Threads& threads, const Depthwise& d, const T* x, const T* dy, T* dw) {
  const Plan plan(d.windows, false);
  const int64_t row = d.channels;
  const int64_t all = d.windows.batch * plan.lines() * plan.segments.size();
  const int64_t work = d.windows.batch * volume(plan.target) * row * d.taps();
  const int64_t parts = parts_of(all, work, 2 * thread_count(threads));
  with_vectors(row, [&](auto width) {
    using V = decltype(width);
    const PartialSums<V> sums(parts, d.taps(), row);
    parallel_for(threads, parts, [&](int64_t part) {
      for_stretches(plan, row, row, part * all / parts, (part + 1) * all / parts,
                    [&](const Stretch& s) {
                      accumulate<V>(x + s.image * volume(plan.source) * row, s.source_step, s.taps,
                                    dy + s.image * volume(plan.target) * row + s.target, row,
                                    s.count, row, sums.part(part));
                    });
    });
    sums.add_up(row, dw);
  });
}

template <class T>
void framed_kernel_gradient(Threads& threads, const Depthwise& d, const T* x, const T* dy, T* dw) {
  const Frame frame(d, false);
  const Plan plan(frame.windows, false);
  const int64_t filters = d.filters(), row = frame.row;
  const int64_t lines = d.windows.batch * plan.lines();
  const int64_t parts = parts_of(lines, lines * plan.target[2] * filters * d.taps(),
                                 2 * thread_count(threads));
  const PartialSums<Wide> sums(parts, d.taps(), row);
  for_framed(threads, frame, plan, x, d.windows.in[2], d.channels, parts,
             [&](int64_t part, int64_t line, const float* copies, const std::vector<Tap>& taps,
                 const Segment& segment) {
               static thread_local Scratch grading;
               const int64_t count = segment.count * filters;
               const int64_t groups = divide_up(segment.count, frame.group);
               float* const gradient = grading.get(groups * row);
               copy(dy + line * count, count, gradient);
               std::memset(gradient + count, 0, (groups * row - count) * sizeof(float));
               accumulate<Wide>(copies, row, taps, gradient, row, groups, row, sums.part(part));
             });
  sums.add_up(filters, dw);
}

template <class T>
void correlate_all(Threads& threads, const Depthwise& d, bool backward, const T* source,
                   const T* kernel, const Finish& finish, T* target) {
  if (d.plain())
    run_plain(threads, d, backward, source, kernel, finish, target);
  else
    run_framed(threads, d, backward, source, kernel, finish, target);
}

ffi::Error run_forward(Threads threads, Array x, Array kernel, Array bias, Numbers stride,
                       Numbers dilation, Numbers low, int64_t groups, int64_t relu, Output y) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    static thread_local Scratch scratch;
    const Depthwise d = describe(x, kernel, *y, stride, dilation, low, groups);
    const int64_t row = d.plain() ? d.channels : Frame(d, false).row;
    const Finish finish =
        finish_of(data<T>(bias), bias.dimensions()[0], row, relu != 0, scratch);
    correlate_all(threads, d, false, data<T>(x), data<T>(kernel), finish, data<T>(y));
    return ffi::Error::Success();
  });
}

ffi::Error run_input_gradient(Threads threads, Array dy, Array kernel, Numbers stride,
                              Numbers dilation, Numbers low, int64_t groups, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    const Depthwise d = describe(*dx, kernel, dy, stride, dilation, low, groups);
    correlate_all(threads, d, true, data<T>(dy), data<T>(kernel), {}, data<T>(dx));
    return ffi::Error::Success();
  });
}

ffi::Error run_kernel_gradient(Threads threads, Array x, Array dy, Numbers stride,
                               Numbers dilation, Numbers low, int64_t groups, Output dw) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const Depthwise d = describe(x, *dw, dy, stride, dilation, low, groups);
    if (d.plain())
      plain_kernel_gradient(threads, d, data<T>(x), data<T>(dy), data<T>(dw));
    else
      framed_kernel_gradient(threads, d, data<T>(x), data<T>(dy), data<T>(dw));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(depthwise, run_forward, windowed_and_finished());
SLIPSTREAM_HANDLER(depthwise_input_gradient, run_input_gradient, windowed());
SLIPSTREAM_HANDLER(depthwise_kernel_gradient, run_kernel_gradient, windowed());

}  // namespace
}  // namespace slipstream
