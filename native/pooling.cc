// Maximum and mean over windows of up to three axes, and their gradients.
//
// Windows hold what they have of the input: nothing is padded. The maximum's gradient goes to the
// first of equal elements; which tap of its window won is kept in a byte, and backwards each input
// position asks the windows that it was in whether it did. So no result is written twice.

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
  return __builtin_convertvector(bytes, Int<V>);
}
template <class V>
SLIPSTREAM_INLINE void store_bytes(uint8_t* to, Int<V> v) {
  typedef uint8_t Bytes __attribute__((vector_size(kSize<V>)));
  const Bytes bytes = __builtin_convertvector(v, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

// Calls body(V{}, vectors, c) for all channels: several vectors at once while there are as many.
template <class Body>
SLIPSTREAM_INLINE void for_channel_tiles(int64_t channels, const Body& body) {
  with_width(channels, [&](auto width) {
    using V = decltype(width);
    constexpr int64_t lanes = kSize<V>;
    int64_t c = 0;
    for (; c + 4 * lanes <= channels; c += 4 * lanes) body(width, Count<4>{}, c);
    for (; c + lanes <= channels; c += lanes) body(width, Count<1>{}, c);
    if (c < channels) body(width, Count<1>{}, channels - lanes);
  });
}

// Of each window, the largest element and the number of the first tap that has it. Once there is a
// NaN it stays.
template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void largest_of(const T* source, const std::vector<Tap>& taps, T* target,
                                  uint8_t* winner) {
  V best[VECTORS];
  Int<V> first[VECTORS];
  for (int v = 0; v < VECTORS; ++v) {
    best[v] = load<V>(source + taps[0].offset + v * kSize<V>);
    first[v] = Int<V>{} + static_cast<int32_t>(taps[0].index);
  }
  for (size_t t = 1; t < taps.size(); ++t) {
    const T* const at = source + taps[t].offset;
    const Int<V> index = Int<V>{} + static_cast<int32_t>(taps[t].index);
    for (int v = 0; v < VECTORS; ++v) {
      const V value = load<V>(at + v * kSize<V>);
      const Int<V> wins = (value > best[v]) | ((value != value) & (best[v] == best[v]));
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
SLIPSTREAM_INLINE void won_by(const T* gradient, const uint8_t* winner,
                              const std::vector<Tap>& taps, T* target) {
  V total[VECTORS];
  for (int v = 0; v < VECTORS; ++v) total[v] = V{};
  for (const Tap& tap : taps)
    for (int v = 0; v < VECTORS; ++v) {
      const int64_t at = tap.offset + v * kSize<V>;
      const V value = load<V>(gradient + at);
      const Int<V> first = load_bytes<V>(winner + at);
      total[v] += first == static_cast<int32_t>(tap.index) ? value : V{};
    }
  for (int v = 0; v < VECTORS; ++v) store(target + v * kSize<V>, total[v]);
}

// Sums of many taps are taken in parts, as their rounding errors add up.
template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void scaled_sum(const T* source, const std::vector<Tap>& taps, float scale,
                                  T* target) {
  constexpr size_t part = 64;
  V total[VECTORS];
  for (int v = 0; v < VECTORS; ++v) total[v] = V{};
  for (size_t begin = 0; begin < taps.size(); begin += part) {
    const size_t end = std::min(taps.size(), begin + part);
    V sums[VECTORS];
    for (int v = 0; v < VECTORS; ++v) sums[v] = V{};
    for (size_t t = begin; t < end; ++t)
      for (int v = 0; v < VECTORS; ++v)
        sums[v] += load<V>(source + taps[t].offset + v * kSize<V>);
    for (int v = 0; v < VECTORS; ++v) total[v] += sums[v];
  }
  for (int v = 0; v < VECTORS; ++v) store(target + v * kSize<V>, total[v] * scale);
}

// Calls body(V{}, vectors, source, target, taps) for tiles of channels of each target position,
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
      for (int64_t j = 0; j < s.count; ++j)
        for_channel_tiles(channels, [&](auto width, auto vectors, int64_t c) {
          body(width, vectors, source + j * s.source_step + c, target + j * s.target_step + c,
               s.taps);
        });
    });
  });
}

Windows describe(const Array& x, const Array& y, Numbers window, Numbers stride, Numbers low) {
  static constexpr int64_t ones[] = {1, 1, 1};
  return windows_of(x, y, {window[0], window[1], window[2]}, stride, Numbers(ones, 3), low);
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
                      const std::vector<Tap>& taps) {
                    largest_of<decltype(width), decltype(vectors)::value>(
                        from + source, taps, to + target, SAVE ? winner + target : nullptr);
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
    for_positions(threads, describe(*dx, dy, window, stride, low), true, dy.dimensions()[4],
                  [=](auto width, auto vectors, int64_t source, int64_t target,
                      const std::vector<Tap>& taps) {
                    won_by<decltype(width), decltype(vectors)::value>(
                        from + source, winner + source, taps, to + target);
                  });
    return ffi::Error::Success();
  });
}

template <class T>
void sums(Threads& threads, const Windows& windows, bool backward, int64_t channels, float scale,
          const T* from, T* to) {
  for_positions(threads, windows, backward, channels,
                [=](auto width, auto vectors, int64_t source, int64_t target,
                    const std::vector<Tap>& taps) {
                  scaled_sum<decltype(width), decltype(vectors)::value>(
                      from + source, taps,
                      backward ? scale : 1.0f / static_cast<float>(taps.size()), to + target);
                });
}

ffi::Error run_mean(Threads threads, Array x, Numbers window, Numbers stride, Numbers low,
                    Output y) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    sums(threads, describe(x, *y, window, stride, low), false, x.dimensions()[4], 1.0f,
         data<T>(x), data<T>(y));
    return ffi::Error::Success();
  });
}

// `scale` times what the windows that held an input position have.
ffi::Error run_mean_gradient(Threads threads, Array dy, Numbers window, Numbers stride,
                             Numbers low, float scale, Output dx) {
  return with_storage(dy.element_type(), [&](auto type) {
    using T = decltype(type);
    sums(threads, describe(*dx, dy, window, stride, low), true, dy.dimensions()[4], scale,
         data<T>(dy), data<T>(dx));
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
