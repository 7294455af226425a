// Convolution of each channel by itself, and its gradient for the input: both are sums over taps.

#include <algorithm>
#include <vector>

#include "depthwise.h"
#include "depthwise_frame.h"
#include "finish.h"

namespace slipstream {
namespace {

// Numbers from here to what the next line will want. Vectors of one channel lie far apart, so that
// the processor does not see by itself what comes next.
struct Ahead {
  int64_t source = 0, target = 0;
};

// Stores a tile of sums, and asks for what the next line wants. `last`: where the last tap was.
template <class V, int COUNT, class T, class R>
SLIPSTREAM_INLINE void finish_tile(const V (&sums)[COUNT], const T* last, int64_t source_step,
                                   R* target, int64_t target_step, const Finish& finish,
                                   int64_t column, const Ahead& ahead) {
  const Ending<V> ending = finish.at<V>(column);
  for (int p = 0; p < COUNT; ++p)
    store(target + p * target_step, finish.some() ? ending(sums[p]) : sums[p]);
  if (ahead.source == 0 || last == nullptr) return;
  for (int p = 0; p < COUNT; ++p) {
    __builtin_prefetch(last + ahead.source + p * source_step);
    __builtin_prefetch(target + ahead.target + p * target_step, 1);
  }
}

// Adds a tile's products with all taps to its sums; gives where the last tap was, null for none.
template <class V, int COUNT, class T>
SLIPSTREAM_INLINE const T* sum_taps(const T* source, int64_t source_step,
                                    const std::vector<Tap>& taps, const float* weights,
                                    V (&sums)[COUNT]) {
  const T* at = nullptr;
  for (const Tap& tap : taps) {
    const V weight = load<V>(weights + tap.index * kSize<V>);
    at = source + tap.offset;
    for (int p = 0; p < COUNT; ++p) sums[p] += load<V>(at + p * source_step) * weight;
  }
  return at;
}

// The same where taps are runs of RUN neighbouring positions: each number is loaded once for all
// taps of a run that want it.
template <class V, int COUNT, int RUN, class T>
SLIPSTREAM_INLINE const T* sum_runs(const T* source, int64_t source_step,
                                    const std::vector<Tap>& taps, bool rising,
                                    const float* weights, V (&sums)[COUNT]) {
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
  return at;
}

// Whether taps are runs of `length` neighbours: 1 for rising ones, -1 for falling ones, else 0.
int runs_of(int64_t length, const std::vector<Tap>& taps, int64_t step) {
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
  // A tile from position p on, a vector after another, by sum(source, weights, sums).
  const auto tile = [&](int64_t p, auto size, const auto& sum) {
    constexpr int positions = decltype(size)::value;
    for (int64_t i = 0; i * kSize<V> < row; ++i) {
      const int64_t c = vector_at<V>(i, row);
      V sums[positions];
      for (int j = 0; j < positions; ++j) sums[j] = V{};
      const T* const last =
          sum(source + p * source_step + c, weights + i * depth * kSize<V>, sums);
      finish_tile(sums, last, source_step, target + p * target_step + c, target_step, finish, c,
                  ahead);
    }
  };
  int64_t p = 0;
  const auto runs = [&](auto length) {
    constexpr int run = decltype(length)::value;
    const int sign = count < 8 ? 0 : runs_of(run, taps, source_step);
    for (; sign && p + 8 <= count; p += 8)
      tile(p, Count<8>{}, [&](const T* from, const float* with, V (&sums)[8]) {
        return sum_runs<V, 8, run>(from, source_step, taps, sign > 0, with, sums);
      });
  };
  const auto tiles = [&](auto size) {
    constexpr int positions = decltype(size)::value;
    for (; p + positions <= count; p += positions)
      tile(p, size, [&](const T* from, const float* with, V (&sums)[positions]) {
        return sum_taps(from, source_step, taps, with, sums);
      });
  };
  runs(Count<3>{});
  runs(Count<5>{});
  tiles(Count<8>{});
  tiles(Count<4>{});
  tiles(Count<2>{});
  tiles(Count<1>{});
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

template <class T>
void run_plain(Threads& threads, const Depthwise& d, bool backward, const T* source,
               const T* kernel, const Finish& finish, T* target) {
  const Plan plan(d.windows, backward);
  const int64_t channels = d.channels, depth = d.taps();
  const int64_t parts = parts_of(threads, d, plan, stretches_of(d, plan), 4);
  const Ahead ahead = {plan.source[2] * channels, plan.target[2] * channels};
  with_vectors(channels, [&](auto width) {
    using V = decltype(width);
    static thread_local Scratch packing;
    const float* const weights = pack<V>(d, kernel, channels, packing);
    for_plain(threads, d, plan, parts, [&](int64_t, const Stretch& s) {
      const T* const from = source + s.image * volume(plan.source) * channels;
      T* const to = target + s.image * volume(plan.target) * channels + s.target;
      correlate<V>(from, s.source_step, s.taps, weights, depth, channels, to, s.target_step,
                   s.count, finish, ahead);
    });
  });
}

template <class T>
void run_framed(Threads& threads, const Depthwise& d, bool backward, const T* source,
                const T* kernel, const Finish& finish, T* target) {
  const DepthwiseFrame frame(d, backward);
  const Plan plan(frame.windows, backward);
  const int64_t filters = d.filters(), fold = backward ? d.multiplier : 1;
  const int64_t size = backward ? d.windows.out[2] : d.windows.in[2];
  const int64_t source_channels = backward ? filters : d.channels;
  const int64_t target_channels = backward ? d.channels : filters;
  static thread_local Scratch packing;
  const float* const weights = pack<Wide>(d, kernel, frame.row, packing);
  const int64_t parts = parts_of(threads, d, plan, d.windows.batch * plan.lines(), 4);
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
                 convert(results, segment.count * filters, to);
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

// y from x or, backwards, dx from dy.
template <class T>
void run(Threads& threads, const Depthwise& d, bool backward, const T* source, const T* kernel,
         const Finish& finish, T* target) {
  if (d.plain())
    run_plain(threads, d, backward, source, kernel, finish, target);
  else
    run_framed(threads, d, backward, source, kernel, finish, target);
}

ffi::Error run_forward(Threads threads, Array x, Array kernel, Array scale, Array bias,
                       Numbers stride, Numbers dilation, Numbers low, int64_t groups, float top,
                       Output y) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const Depthwise d = depthwise_of(x, kernel, *y, stride, dilation, low, groups);
    const int64_t row = d.plain() ? d.channels : DepthwiseFrame(d, false).row;
    const Finish finish = finish_of<T>(scale, bias, row, top);
    run(threads, d, false, data<T>(x), data<T>(kernel), finish, data<T>(y));
    return ffi::Error::Success();
  });
}

ffi::Error run_input_gradient(Threads threads, Array dy, Array kernel, Numbers stride,
                              Numbers dilation, Numbers low, int64_t groups, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    const Depthwise d = depthwise_of(*dx, kernel, dy, stride, dilation, low, groups);
    run(threads, d, true, data<T>(dy), data<T>(kernel), {}, data<T>(dx));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(depthwise, run_forward, windowed_and_finished());
SLIPSTREAM_HANDLER(depthwise_input_gradient, run_input_gradient, windowed());

}  // namespace
}  // namespace slipstream
