// Maximum and mean over windows of up to three axes, and their gradients.
//
// Windows hold what they have of the input: nothing is padded. The maximum's gradient goes to the
// first of equal elements; which tap of its window won is kept in a byte, and backwards each input
// position asks the windows that it was in whether it did; windows that do not overlap tell theirs.
// Either way no result is written twice.

#include <algorithm>
#include <cstring>
#include <vector>

#include "windows.h"

namespace slipstream {
namespace {

template <int N>
using Count = std::integral_constant<int, N>;

template <class V>
using Int = typename VectorOf<kSize<V>>::Int;

template <class V>
SLIPSTREAM_INLINE Int<V> load_bytes(const uint8_t* from) {
  typedef uint8_t Bytes __attribute__((vector_size(kSize<V>)));
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  // In two steps: in one, GCC 12 takes the numbers apart.
  const auto halves = __builtin_convertvector(bytes, typename VectorOf<kSize<V>>::Half);
  return __builtin_convertvector(halves, Int<V>);
}
template <class V>
SLIPSTREAM_INLINE void store_bytes(uint8_t* to, Int<V> v) {
  typedef uint8_t Bytes __attribute__((vector_size(kSize<V>)));
  const Bytes bytes = __builtin_convertvector(v, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

// Of each window, the largest element and the number of the first tap that has it. Once there is a
// NaN it stays.
template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void largest_of(const T* source, const Tap* taps, int64_t count, T* target,
                                  uint8_t* winner) {
  V best[VECTORS];
  Int<V> first[VECTORS];
  for (int v = 0; v < VECTORS; ++v) {
    best[v] = load<V>(source + taps[0].offset + v * kSize<V>);
    first[v] = Int<V>{} + static_cast<int32_t>(taps[0].index);
  }
  for (int64_t t = 1; t < count; ++t) {
    const T* const at = source + taps[t].offset;
    const Int<V> index = Int<V>{} + static_cast<int32_t>(taps[t].index);
    for (int v = 0; v < VECTORS; ++v) {
      const V value = load<V>(at + v * kSize<V>);
      const Int<V> wins = ~(value <= best[v]) & (best[v] == best[v]);
      best[v] = wins ? value : best[v];
      if (winner != nullptr) first[v] = wins ? index : first[v];
    }
  }
  for (int v = 0; v < VECTORS; ++v) {
    store(target + v * kSize<V>, best[v]);
    if (winner != nullptr) store_bytes<V>(winner + v * kSize<V>, first[v]);
  }
}

// What reaches an input position from the windows it was in.
template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void won_by(const T* gradient, const uint8_t* winner, const Tap* taps,
                              int64_t count, T* target) {
  V total[VECTORS];
  for (int v = 0; v < VECTORS; ++v) total[v] = V{};
  for (int64_t t = 0; t < count; ++t)
    for (int v = 0; v < VECTORS; ++v) {
      const int64_t at = taps[t].offset + v * kSize<V>;
      const V value = load<V>(gradient + at);
      const Int<V> first = load_bytes<V>(winner + at);
      total[v] += first == static_cast<int32_t>(taps[t].index) ? value : V{};
    }
  for (int v = 0; v < VECTORS; ++v) store(target + v * kSize<V>, total[v]);
}

// What each input position of a window alone gets from it.
template <class V, int VECTORS, class T, class Of>
SLIPSTREAM_INLINE void spread(const Tap* taps, int64_t count, T* target, const Of& of) {
  for (int64_t t = 0; t < count; ++t)
    for (int v = 0; v < VECTORS; ++v)
      store(target + taps[t].offset + v * kSize<V>, of(v, static_cast<int32_t>(taps[t].index)));
}

// Sums of many taps are taken in parts, as their rounding errors add up.
template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void scaled_sum(const T* source, const Tap* taps, int64_t count, float scale,
                                  T* target) {
  constexpr int64_t part = 64;
  V total[VECTORS];
  for (int v = 0; v < VECTORS; ++v) total[v] = V{};
  for (int64_t begin = 0; begin < count; begin += part) {
    const int64_t end = std::min(count, begin + part);
    V sums[VECTORS];
    for (int v = 0; v < VECTORS; ++v) sums[v] = V{};
    for (int64_t t = begin; t < end; ++t)
      for (int v = 0; v < VECTORS; ++v)
        sums[v] += load<V>(source + taps[t].offset + v * kSize<V>);
    for (int v = 0; v < VECTORS; ++v) total[v] += sums[v];
  }
  for (int v = 0; v < VECTORS; ++v) store(target + v * kSize<V>, total[v] * scale);
}

// Calls body(V{}, vectors, source, target, taps, count) for tiles of channels of each target position,
// with the offsets from both arrays' starts.
template <class Body>
void for_positions(Threads& threads, const Windows& windows, bool backward, int64_t channels,
                   const Body& body) {
  const Plan plan(windows, backward);
  const int64_t image = plan.lines() * plan.segments.size();
  const int64_t work =
      windows.batch * channels * std::max(volume(plan.source), volume(plan.target));
  const int64_t stretches = windows.batch * image;
  const int64_t grain = divide_up(32768 * stretches, std::max<int64_t>(work, 1));
  parallel_ranges(threads, stretches, grain, [&](int64_t begin, int64_t end) {
    for_stretches(plan, channels, channels, begin, end, [&](const Stretch& s) {
      const int64_t source = s.image * volume(plan.source) * channels;
      const int64_t target = s.image * volume(plan.target) * channels + s.target;
      const Tap* const taps = s.taps.data();
      const int64_t count = s.taps.size();
      with_width(channels, [&](auto width) {
        constexpr int64_t lanes = kSize<decltype(width)>;
        for (int64_t j = 0; j < s.count; ++j) {
          const auto tile = [&](auto vectors, int64_t c) {
            body(width, vectors, source + j * s.source_step + c, target + j * s.target_step + c,
                 taps, count);
          };
          int64_t c = 0;
          for (; c + 4 * lanes <= channels; c += 4 * lanes) tile(Count<4>{}, c);
          for (; c + 2 * lanes <= channels; c += 2 * lanes) tile(Count<2>{}, c);
          for (; c + lanes <= channels; c += lanes) tile(Count<1>{}, c);
          if (c < channels) tile(Count<1>{}, channels - lanes);
        }
      });
    });
  });
}

Windows describe(const Array& x, const Array& y, Numbers window, Numbers stride, Numbers low) {
  static constexpr int64_t ones[] = {1, 1, 1};
  return windows_of(x, y, {window[0], window[1], window[2]}, stride, Numbers(ones, 3), low);
}

bool overlap(const Windows& w) {
  for (int a = 0; a < kAxes; ++a)
    if (w.stride[a] < w.window[a]) return true;
  return false;
}

// Calls body as `for_positions` does for windows that do not overlap, so that it may write to the
// input positions of each; those of none are set to 0.
template <class T, class Body>
void for_windows(Threads& threads, const Windows& windows, int64_t channels, T* dx,
                 const Body& body) {
  bool covered = true;
  for (int a = 0; a < kAxes; ++a)
    covered &= windows.stride[a] == windows.window[a] &&
               windows.out[a] * windows.stride[a] >= windows.in[a];
  if (!covered) std::memset(dx, 0, windows.batch * volume(windows.in) * channels * sizeof(T));
  for_positions(threads, windows, false, channels, body);
}

template <bool SAVE>
ffi::Error largest(Threads& threads, Array x, Numbers window, Numbers stride, Numbers low,
                   Output y, uint8_t* winner) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const T* const from = data<T>(x);
    T* const to = data<T>(y);
    for_positions(threads, describe(x, *y, window, stride, low), false, x.dimensions()[4],
                  [=](auto width, auto vectors, int64_t source, int64_t target,
                      const Tap* taps, int64_t count) {
                    largest_of<decltype(width), decltype(vectors)::value>(
                        from + source, taps, count, to + target, SAVE ? winner + target : nullptr);
                  });
    return ffi::Error::Success();
  });
}

ffi::Error run_largest(Threads threads, Array x, Numbers window, Numbers stride, Numbers low,
                       Output y) {
  return largest<false>(threads, x, window, stride, low, y, nullptr);
}

ffi::Error run_largest_and_first(Threads threads, Array x, Numbers window, Numbers stride,
                                 Numbers low, Output y, Output first) {
  return largest<true>(threads, x, window, stride, low, y, data<uint8_t>(first));
}

ffi::Error run_largest_gradient(Threads threads, Array dy, Array first, Numbers window,
                                Numbers stride, Numbers low, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    const T* const from = data<T>(dy);
    const uint8_t* const winner = data<uint8_t>(first);
    T* const to = data<T>(dx);
    const Windows windows = describe(*dx, dy, window, stride, low);
    const int64_t channels = dy.dimensions()[4];
    if (!overlap(windows)) {
      for_windows(threads, windows, channels, to,
                  [=](auto width, auto vectors, int64_t input, int64_t output, const Tap* taps,
                      int64_t count) {
                    using V = decltype(width);
                    constexpr int number = decltype(vectors)::value;
                    V value[number];
                    Int<V> first[number];
                    for (int v = 0; v < number; ++v) {
                      value[v] = load<V>(from + output + v * kSize<V>);
                      first[v] = load_bytes<V>(winner + output + v * kSize<V>);
                    }
                    spread<V, number>(taps, count, to + input, [&](int v, int32_t index) {
                      return first[v] == index ? value[v] : V{};
                    });
                  });
      return ffi::Error::Success();
    }
    for_positions(threads, windows, true, channels,
                  [=](auto width, auto vectors, int64_t source, int64_t target,
                      const Tap* taps, int64_t count) {
                    won_by<decltype(width), decltype(vectors)::value>(
                        from + source, winner + source, taps, count, to + target);
                  });
    return ffi::Error::Success();
  });
}

ffi::Error run_mean(Threads threads, Array x, Numbers window, Numbers stride, Numbers low,
                    Output y) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const T* const from = data<T>(x);
    T* const to = data<T>(y);
    for_positions(threads, describe(x, *y, window, stride, low), false, x.dimensions()[4],
                  [=](auto width, auto vectors, int64_t source, int64_t target, const Tap* taps,
                      int64_t count) {
                    scaled_sum<decltype(width), decltype(vectors)::value>(
                        from + source, taps, count, 1.0f / static_cast<float>(count),
                        to + target);
                  });
    return ffi::Error::Success();
  });
}

// `scale` times what the window that holds an input position has; windows do not overlap.
ffi::Error run_mean_gradient(Threads threads, Array dy, Numbers window, Numbers stride,
                             Numbers low, float scale, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    const T* const from = data<T>(dy);
    T* const to = data<T>(dx);
    const Windows windows = describe(*dx, dy, window, stride, low);
    if (overlap(windows)) return refuse("windows of a mean must not overlap");
    for_windows(threads, windows, dy.dimensions()[4], to,
                [=](auto width, auto vectors, int64_t input, int64_t output, const Tap* taps,
                    int64_t count) {
                  using V = decltype(width);
                  constexpr int number = decltype(vectors)::value;
                  V value[number];
                  for (int v = 0; v < number; ++v)
                    value[v] = load<V>(from + output + v * kSize<V>) * scale;
                  spread<V, number>(taps, count, to + input,
                                    [&](int v, int32_t) { return value[v]; });
                });
    return ffi::Error::Success();
  });
}

auto binding() { return ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>(); }
template <class Binding>
auto with_windows(Binding binding) {
  return std::move(binding)
      .template Attr<Numbers>("window")
      .template Attr<Numbers>("stride")
      .template Attr<Numbers>("low");
}

SLIPSTREAM_HANDLER(max_pool, run_largest, with_windows(binding()).Ret<Array>());
SLIPSTREAM_HANDLER(max_pool_saving, run_largest_and_first,
                   with_windows(binding()).Ret<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(max_pool_gradient, run_largest_gradient,
                   with_windows(binding().Arg<Array>()).Ret<Array>());
SLIPSTREAM_HANDLER(average_pool, run_mean, with_windows(binding()).Ret<Array>());
SLIPSTREAM_HANDLER(average_pool_gradient, run_mean_gradient,
                   with_windows(binding()).Attr<float>("scale").Ret<Array>());

}  // namespace
}  // namespace slipstream
