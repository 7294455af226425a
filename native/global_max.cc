// The maximum over all positions of each channel, and its gradient, which equal ones share.

#include <algorithm>

#include "windows.h"

namespace slipstream {
namespace {

template <class V>
using Int = typename VectorOf<kSize<V>>::Int;

template <class V>
SLIPSTREAM_INLINE V ones_where(Int<V> true_) {
  return true_ ? splat<V>(1.0f) : V{};
}

// Calls body(V{}, vectors, channel) for tiles of an image's channels; the last may overlap the
// one before.
template <class Body>
void for_tiles(int64_t channels, const Body& body) {
  with_width(channels, [&](auto width) {
    constexpr int64_t lanes = kSize<decltype(width)>;
    int64_t c = 0;
    for (; c + 4 * lanes <= channels; c += 4 * lanes)
      body(width, std::integral_constant<int, 4>{}, c);
    for (; c < channels; c += lanes)
      body(width, std::integral_constant<int, 1>{}, std::min(c, channels - lanes));
  });
}

template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void largest_of(const T* x, int64_t positions, int64_t channels, T* y) {
  V best[VECTORS];
  Int<V> lost[VECTORS];  // where a NaN was
  for (int v = 0; v < VECTORS; ++v) {
    best[v] = load<V>(x + v * kSize<V>);
    lost[v] = best[v] != best[v];
  }
  for (int64_t p = 1; p < positions; ++p)
    for (int v = 0; v < VECTORS; ++v) {
      const V value = load<V>(x + p * channels + v * kSize<V>);
      best[v] = value > best[v] ? value : best[v];
      lost[v] |= value != value;
    }
  for (int v = 0; v < VECTORS; ++v)
    store(y + v * kSize<V>, lost[v] ? splat<V>(__builtin_nanf("")) : best[v]);
}

template <class V, int VECTORS, class T>
SLIPSTREAM_INLINE void shared_by(const T* x, const T* y, const T* dy, int64_t positions,
                                 int64_t channels, T* dx) {
  V best[VECTORS], share[VECTORS];
  for (int v = 0; v < VECTORS; ++v) {
    best[v] = load<V>(y + v * kSize<V>);
    share[v] = V{};
  }
  for (int64_t p = 0; p < positions; ++p)
    for (int v = 0; v < VECTORS; ++v)
      share[v] += ones_where<V>(load<V>(x + p * channels + v * kSize<V>) == best[v]);
  for (int v = 0; v < VECTORS; ++v) share[v] = load<V>(dy + v * kSize<V>) / share[v];
  for (int64_t p = 0; p < positions; ++p)
    for (int v = 0; v < VECTORS; ++v) {
      const int64_t at = p * channels + v * kSize<V>;
      store(dx + at, ones_where<V>(load<V>(x + at) == best[v]) * share[v]);
    }
}

template <class Body>
void for_images(Threads& threads, const Array& x, const Body& body) {
  const auto sizes = x.dimensions();
  const int64_t image = sizes[1] * sizes[2];
  parallel_ranges(threads, sizes[0], 32768 / image + 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) body(n, sizes[1], sizes[2]);
  });
}

ffi::Error run_max(Threads threads, Array x, Output y) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const T* const from = data<T>(x);
    T* const to = data<T>(y);
    for_images(threads, x, [&](int64_t n, int64_t positions, int64_t channels) {
      for_tiles(channels, [&](auto width, auto vectors, int64_t c) {
        largest_of<decltype(width), decltype(vectors)::value>(
            from + n * positions * channels + c, positions, channels, to + n * channels + c);
      });
    });
    return ffi::Error::Success();
  });
}

ffi::Error run_gradient(Threads threads, Array x, Array y, Array dy, Output dx) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const T *const from = data<T>(x), *const best = data<T>(y), *const given = data<T>(dy);
    T* const to = data<T>(dx);
    for_images(threads, x, [&](int64_t n, int64_t positions, int64_t channels) {
      for_tiles(channels, [&](auto width, auto vectors, int64_t c) {
        const int64_t image = n * positions * channels + c, at = n * channels + c;
        shared_by<decltype(width), decltype(vectors)::value>(from + image, best + at, given + at,
                                                             positions, channels, to + image);
      });
    });
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(global_max, run_max, ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(
    global_max_gradient, run_gradient,
    ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
