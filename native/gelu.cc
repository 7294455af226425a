// GELU (Hendrycks & Gimpel 2016), exact and in its tanh approximation, and its slope.

#include <cstring>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

struct Point {
  Wide value, slope;
};

SLIPSTREAM_INLINE Wide magnitude(Wide x) {
  VectorOf<kLanes>::Int bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= 0x7fffffff;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// 2^x for |x| <= 126, to a unit in the last place: a whole power times a polynomial on [-½, ½].
SLIPSTREAM_INLINE Wide power_of_two(Wide x) {
  typedef VectorOf<kLanes>::Int Int;
  const Wide magic = splat<Wide>(12582912.0f);  // adding 1.5 * 2^23 rounds to a whole number
  const Wide shifted = x + magic, rest = x - (shifted - magic);
  Wide y = rest * 1.32763578e-3f + 9.67565551e-3f;
  y = y * rest + 5.55071448e-2f;
  y = y * rest + 2.40221176e-1f;
  y = y * rest + 6.93146966e-1f;
  y = y * rest + 1.0f;
  Int bits, whole;
  std::memcpy(&bits, &y, sizeof bits);
  std::memcpy(&whole, &shifted, sizeof whole);
  bits += whole << 23;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}

// x times the normal distribution function P. With t = |x|, the tail P(-t) is e^(-t²/2) times a
// polynomial in (t - 2.5) / (t + 2.5), fitted for the least relative error on [0, 14.5]: 1e-7.
struct Exact {
  SLIPSTREAM_INLINE static Point at(Wide x) {
    constexpr float fitted[] = {-1.5321190e-4f, -3.2871333e-4f, 7.9854316e-4f,
                                2.9406999e-3f,  -5.1173768e-3f, -2.4547834e-2f,
                                1.1313508e-1f,  -2.2806981e-1f, 1.4133134e-1f};
    const Wide t = minimum(magnitude(x), splat<Wide>(13.2f));  // the tail is 0 beyond
    const Wide u = (t - 2.5f) / (t + 2.5f);
    Wide ratio = splat<Wide>(fitted[0]);
    for (int i = 1; i < 9; ++i) ratio = ratio * u + fitted[i];
    const Wide bell = power_of_two(t * t * -0.72134752f);
    const Wide side = bell * (ratio - t * 0.39894228f);  // the slope at -t
    return {maximum(splat<Wide>(0.0f), x) - t * (bell * ratio),
            x != x ? x : (x > 0.0f ? 1.0f - side : side)};
  }
};

// x times the sigmoid of √(8/π) (x + 0.044715 x³).
struct Approximate {
  SLIPSTREAM_INLINE static Point at(Wide x) {
    constexpr float a = 1.59576912f, b = 0.0713548163f, log2e = 1.44269504f;
    const Wide t = maximum(splat<Wide>(-10.0f), x);  // the sigmoid is 0 beyond
    const Wide near = t > 10.0f ? splat<Wide>(10.0f) : t, square = near * near;
    const Wide odds = power_of_two(near * (square * (-b * log2e) - a * log2e));
    const Wide part = 1.0f / (1.0f + odds);
    return {t * part, part + odds * part * part * near * (square * (3.0f * b) + a)};
  }
};

// The slope is written only where it is asked for.
template <class CURVE, bool SLOPE, class T>
void apply(Threads& threads, int64_t count, const T* x, T* y, T* slope) {
  parallel_ranges(threads, count, 16384, [&](int64_t begin, int64_t end) {
    along(end - begin, [&](int64_t j, auto some) {
      const Point point = CURVE::at(take(x + begin + j, some));
      put(y + begin + j, point.value, some);
      if constexpr (SLOPE) put(slope + begin + j, point.slope, some);
    });
  });
}

template <bool SLOPE>
ffi::Error run(Threads& threads, bool approximate, Array x, Output y, void* slope) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const auto chosen = approximate ? apply<Approximate, SLOPE, T> : apply<Exact, SLOPE, T>;
    chosen(threads, x.element_count(), data<T>(x), data<T>(y), static_cast<T*>(slope));
    return ffi::Error::Success();
  });
}

ffi::Error value(Threads threads, int64_t approximate, Array x, Output y) {
  return run<false>(threads, approximate, x, y, nullptr);
}

ffi::Error value_and_slope(Threads threads, int64_t approximate, Array x, Output y, Output slope) {
  return run<true>(threads, approximate, x, y, slope->untyped_data());
}

SLIPSTREAM_HANDLER(
    gelu, value,
    ffi::Ffi::Bind().Ctx<Threads>().Attr<int64_t>("approximate").Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(gelu_saving, value_and_slope,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<int64_t>("approximate")
                       .Arg<Array>()
                       .Ret<Array>()
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
