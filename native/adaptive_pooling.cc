// The maximum over parts of each axis, and its gradient.
//
// Part i of n runs from ⌊i·size/n⌋ up to ⌈(i+1)·size/n⌉, so neighbours may share a position. Where
// the first of equal maxima was is kept as its number among the positions of the image.

#include <algorithm>
#include <cstring>

#include "windows.h"

namespace slipstream {
namespace {

// How many positions and parts each axis has, around batch and channels.
struct Shape {
  int64_t batch, channels;
  Sizes in, out;

  Shape(const Array& x, const Array& y) : batch(x.dimensions()[0]), channels(x.dimensions()[4]) {
    for (int a = 0; a < kAxes; ++a) {
      in[a] = x.dimensions()[1 + a];
      out[a] = y.dimensions()[1 + a];
    }
  }

  int64_t start(int a, int64_t i) const { return i * in[a] / out[a]; }
  int64_t stop(int a, int64_t i) const { return ((i + 1) * in[a] + out[a] - 1) / out[a]; }

  Sizes place_of(int64_t part) const {
    return {part / (out[1] * out[2]), part / out[2] % out[1], part % out[2]};
  }

  int64_t first(int64_t part) const {
    const auto [i, j, k] = place_of(part);
    return (start(0, i) * in[1] + start(1, j)) * in[2] + start(2, k);
  }

  // Calls body(position) for those of a part, in the order of rows.
  template <class Body>
  SLIPSTREAM_INLINE void each(int64_t part, const Body& body) const {
    const auto [i, j, k] = place_of(part);
    for (int64_t p = start(0, i); p < stop(0, i); ++p)
      for (int64_t r = start(1, j); r < stop(1, j); ++r) {
        const int64_t row = (p * in[1] + r) * in[2];
        for (int64_t c = row + start(2, k); c < row + stop(2, k); ++c) body(c);
      }
  }
};

// The largest element of a part in some channels. Once there is a NaN it stays.
template <class V, int VECTORS, bool SAVE, class T>
SLIPSTREAM_INLINE void largest_of(const Shape& shape, int64_t part, const T* x, T* y,
                                  int32_t* place) {
  typedef typename VectorOf<kSize<V>>::Int Int;
  V best[VECTORS];
  Int where[VECTORS];
  const int64_t first = shape.first(part);
  for (int v = 0; v < VECTORS; ++v) {
    best[v] = load<V>(x + first * shape.channels + v * kSize<V>);
    where[v] = Int{} + static_cast<int32_t>(first);
  }
  shape.each(part, [&](int64_t position) {
    const T* const at = x + position * shape.channels;
    const Int here = Int{} + static_cast<int32_t>(position);
    for (int v = 0; v < VECTORS; ++v) {
      const V value = load<V>(at + v * kSize<V>);
      const Int wins = ~(value <= best[v]) & (best[v] == best[v]);
      best[v] = wins ? value : best[v];
      if constexpr (SAVE) where[v] = wins ? here : where[v];
    }
  });
  for (int v = 0; v < VECTORS; ++v) {
    store(y + v * kSize<V>, best[v]);
    if constexpr (SAVE) std::memcpy(place + v * kSize<V>, &where[v], sizeof where[v]);
  }
}

template <bool SAVE, class T>
void pool(Threads& threads, const Shape& shape, const T* x, T* y, int32_t* place) {
  const int64_t parts = volume(shape.out), image = volume(shape.in) * shape.channels;
  const int64_t grain = 32768 * parts / std::max<int64_t>(image, 1) + 1;
  parallel_ranges(threads, shape.batch * parts, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* const from = x + i / parts * image;
      const int64_t to = i * shape.channels;
      with_width(shape.channels, [&](auto width) {
        using V = decltype(width);
        const auto tile = [&](auto vectors, int64_t c) {
          largest_of<V, decltype(vectors)::value, SAVE>(shape, i % parts, from + c, y + to + c,
                                                        SAVE ? place + to + c : nullptr);
        };
        int64_t c = 0;
        for (; c + 4 * kSize<V> <= shape.channels; c += 4 * kSize<V>)
          tile(std::integral_constant<int, 4>{}, c);
        for (; c < shape.channels; c += kSize<V>)
          tile(std::integral_constant<int, 1>{}, std::min(c, shape.channels - kSize<V>));
      });
    }
  });
}

// An image's parts may share a position, so one thread takes them all, of a few channels at least.
template <class T>
void give_back(Threads& threads, const Shape& shape, const T* dy, const int32_t* place, T* dx) {
  constexpr int64_t few = 16;
  const int64_t parts = volume(shape.out), positions = volume(shape.in);
  const int64_t width = shape.channels, image = positions * width, blocks = (width + few - 1) / few;
  parallel_ranges(threads, shape.batch * image, 65536, [&](int64_t begin, int64_t end) {
    std::memset(static_cast<void*>(dx + begin), 0, (end - begin) * sizeof(T));
  });
  const int64_t grain = 4096 / (parts * few) + 1;
  parallel_ranges(threads, shape.batch * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / blocks, first = i % blocks * few;
      T* const to = dx + n * image;
      for (int64_t part = n * parts; part < (n + 1) * parts; ++part)
        for (int64_t c = first; c < std::min(width, first + few); ++c) {
          T& sum = to[place[part * width + c] * width + c];
          sum = from_float<T>(to_float(sum) + to_float(dy[part * width + c]));
        }
    }
  });
}

template <bool SAVE>
ffi::Error run(Threads& threads, Array x, Output y, int32_t* place) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    pool<SAVE>(threads, Shape(x, *y), data<T>(x), data<T>(y), place);
    return ffi::Error::Success();
  });
}

ffi::Error run_max(Threads threads, Array x, Output y) {
  return run<false>(threads, x, y, nullptr);
}

ffi::Error run_max_and_place(Threads threads, Array x, Output y, Output place) {
  return run<true>(threads, x, y, data<int32_t>(place));
}

ffi::Error run_gradient(Threads threads, Array dy, Array place, Output dx) {
  return with_storage(dy.element_type(), [&](auto storage) {
    using T = decltype(storage);
    give_back(threads, Shape(*dx, dy), data<T>(dy), data<int32_t>(place), data<T>(dx));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(adaptive_max, run_max,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(adaptive_max_saving, run_max_and_place,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(adaptive_max_gradient, run_gradient,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
