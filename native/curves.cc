// Functions of one number, each element by itself, and their slopes.

#include <cstring>
#include <string_view>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

struct Point {
  Wide value, slope;
};

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

// log(1 + e) for e on [0, 1] to a unit or two in the last place: twice the inverse hyperbolic
// tangent of e / (2 + e), by a polynomial fitted to it on [0, 1/3].
SLIPSTREAM_INLINE Wide log_of_one_more(Wide e) {
  const Wide part = e / (2.0f + e), square = part * part;
  Wide ratio = square * 0.281746566f + 0.27961418f;
  ratio = ratio * square + 0.400248528f;
  ratio = ratio * square + 0.66666317f;
  return part * (ratio * square + 2.0f);
}

// GELU (Hendrycks & Gimpel 2016): x times the normal distribution function P. With t = |x|, the tail P(-t) is e^(-t²/2) times a
// polynomial in (t - 2.5) / (t + 2.5), fitted for the least relative error on [0, 14.5]: 1e-7.
struct Gelu {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
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

// Its tanh approximation: x times the sigmoid of √(8/π) (x + 0.044715 x³).
struct GeluTanh {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    constexpr float a = 1.59576912f, b = 0.0713548163f, log2e = 1.44269504f;
    const Wide t = maximum(splat<Wide>(-10.0f), x);  // the sigmoid is 0 beyond
    const Wide near = t > 10.0f ? splat<Wide>(10.0f) : t, square = near * near;
    const Wide odds = power_of_two(near * (square * (-b * log2e) - a * log2e));
    const Wide part = 1.0f / (1.0f + odds);
    return {t * part, part + odds * part * part * near * (square * (3.0f * b) + a)};
  }
};

struct Sigmoid {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Wide y = sigmoid(x);
    return {y, y * (1.0f - y)};
  }
};

struct Tanh {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Wide y = hyperbolic_tangent(x);
    return {y, 1.0f - y * y};
  }
};

struct Silu {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Wide near = no_less(x, -87.3f), part = sigmoid(near);  // the product is 0 beyond
    return {near * part, part + no_more(near, 87.3f) * part * (1.0f - part)};
  }
};

struct Softplus {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Wide e = Exponential<Wide>::within(no_less(-magnitude(x), -87.3f)).value();
    const Wide part = 1.0f / (1.0f + e);
    return {maximum(x, splat<Wide>(0.0f)) + log_of_one_more(e), x > 0.0f ? part : e * part};
  }
};

struct LogSigmoid {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Point mirrored = Softplus{}(-x);
    return {-mirrored.value, mirrored.slope};
  }
};

// x tanh(softplus(x)), where tanh(log(1 + w)) = n / (n + 2) with n = w (w + 2).
struct Mish {
  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Wide near = no_more(no_less(x, -87.3f), 20.0f);  // the ratio is 0 or 1 beyond
    const Wide w = Exponential<Wide>::within(near).value();
    const Wide n = w * (w + 2.0f), below = 1.0f / (n + 2.0f), ratio = n * below;
    return {no_less(x, -87.3f) * ratio, ratio + near * (4.0f * w * (w + 1.0f)) * below * below};
  }
};

// ELU and its kin: right * x above 0, left * (e^(inner * x) - 1) below.
struct Elu {
  float right, left, inner;

  SLIPSTREAM_INLINE Point operator()(Wide x) const {
    const Wide less = exponential_less_one(no_more(x, 0.0f) * inner);
    return {x > 0.0f ? x * right : less * left,
            x > 0.0f ? splat<Wide>(right) : (less + 1.0f) * (left * inner)};
  }
};

// The slope is written only where it is asked for.
template <bool SLOPE, class T, class Curve>
void apply(Threads& threads, const Curve& curve, int64_t count, const T* x, T* y, T* slope) {
  // To wake a thread takes as long as this many numbers.
  const int64_t grain = threads_awake() ? 1 << 14 : 1 << 16;
  parallel_ranges(threads, count, grain, [&](int64_t begin, int64_t end) {
    along(end - begin, [&](int64_t j, auto some) {
      const Point point = curve(take(x + begin + j, some));
      put(y + begin + j, point.value, some);
      if constexpr (SLOPE) put(slope + begin + j, point.slope, some);
    });
  });
}

template <bool SLOPE>
ffi::Error run(Threads& threads, std::string_view kind, const Elu& elu, Array x, Output y,
               void* slope) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const auto with = [&](const auto& curve) {
      apply<SLOPE>(threads, curve, x.element_count(), data<T>(x), data<T>(y),
                   static_cast<T*>(slope));
      return ffi::Error::Success();
    };
    if (kind == "gelu") return with(Gelu{});
    if (kind == "gelu_tanh") return with(GeluTanh{});
    if (kind == "sigmoid") return with(Sigmoid{});
    if (kind == "tanh") return with(Tanh{});
    if (kind == "silu") return with(Silu{});
    if (kind == "softplus") return with(Softplus{});
    if (kind == "log_sigmoid") return with(LogSigmoid{});
    if (kind == "mish") return with(Mish{});
    if (kind == "elu") return with(elu);
    return refuse("no curve is called " + std::string(kind));
  });
}

ffi::Error value(Threads threads, std::string_view kind, float right, float left, float inner,
                 Array x, Output y) {
  return run<false>(threads, kind, {right, left, inner}, x, y, nullptr);
}

ffi::Error value_and_slope(Threads threads, std::string_view kind, float right, float left,
                           float inner, Array x, Output y, Output slope) {
  return run<true>(threads, kind, {right, left, inner}, x, y, slope->untyped_data());
}

#define SLIPSTREAM_CURVE             \
  ffi::Ffi::Bind()                   \
      .Ctx<Threads>()                \
      .Attr<std::string_view>("kind") \
      .Attr<float>("right")          \
      .Attr<float>("left")           \
      .Attr<float>("inner")          \
      .Arg<Array>()                  \
      .Ret<Array>()
SLIPSTREAM_HANDLER(curve, value, SLIPSTREAM_CURVE);
SLIPSTREAM_HANDLER(curve_saving, value_and_slope, SLIPSTREAM_CURVE.Ret<Array>());

}  // namespace
}  // namespace slipstream
