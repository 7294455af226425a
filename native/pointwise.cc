// What is done to pictures pixel by pixel, by a few numbers of each picture's or channel's own.

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "ends.h"
#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

// Keeps whole steps, which are powers of 2.
template <bool BYTES>
struct Posterize {
  float share, step;
  Ends ends;

  Posterize(const float* numbers, Ends ends)
      : share(1.0f / numbers[0]), step(numbers[0]), ends(ends) {}
  SLIPSTREAM_INLINE Wide operator()(Wide x) const {
    typedef VectorOf<kLanes>::Int Int;
    const Wide steps = clip((BYTES ? x : ends.to_bytes(x)) * share, 0.0f, 255.0f * share);
    const Wide whole = __builtin_convertvector(__builtin_convertvector(steps, Int), Wide) * step;
    return x == x ? (BYTES ? whole : ends.from_bytes(whole)) : x;
  }
};

// Adds a number, then turns round what is not below another.
template <bool BYTES>
struct Solarize {
  float more, threshold;
  Ends ends;

  Solarize(const float* numbers, Ends ends) : more(numbers[0]), threshold(numbers[1]), ends(ends) {}
  SLIPSTREAM_INLINE Wide operator()(Wide x) const {
    const Wide values = clip((BYTES ? x : ends.to_bytes(x)) + more, 0.0f, 255.0f);
    const Wide turned = values < threshold ? values : 255.0f - values;
    return BYTES ? turned : ends.from_bytes(turned);
  }
};

// Multiplies by a number and adds another.
struct Scale {
  float factor, more;
  Ends ends;

  Scale(const float* numbers, Ends ends) : factor(numbers[0]), more(numbers[1]), ends(ends) {}
  SLIPSTREAM_INLINE Wide operator()(Wide x) const {
    return clip(x * factor + more, ends.low, ends.high);
  }
};

// Shares numbers between threads: pictures may be few and large.
template <class Change>
void apply(Threads& threads, Ends ends, Array x, Array numbers, Output y) {
  const int64_t count = x.element_count(), size = count / x.dimensions()[0];
  const int64_t step = numbers.dimensions()[1];
  parallel_ranges(threads, count, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t stop; begin < end; begin = stop) {
      const int64_t picture = begin / size;
      stop = std::min(end, (picture + 1) * size);
      const Change change(data<float>(numbers) + step * picture, ends);
      const float* const from = data<float>(x) + begin;
      float* const to = data<float>(y) + begin;
      // By value: what is stored might change references, which would be read again each time.
      along(stop - begin, [=](int64_t j, auto some) {
        put(to + j, change(take(from + j, some)), some);
      });
    }
  });
}

template <template <bool> class Change>
ffi::Error run(Threads threads, float low, float high, Array x, Array numbers, Output y) {
  const Ends ends{low, high};
  (ends.bytes() ? apply<Change<true>> : apply<Change<false>>)(threads, ends, x, numbers, y);
  return ffi::Error::Success();
}

ffi::Error run_scale(Threads threads, float low, float high, Array x, Array numbers, Output y) {
  apply<Scale>(threads, {low, high}, x, numbers, y);
  return ffi::Error::Success();
}

// A weight of red, green and blue each, of which grey is the sum (ITU-R BT.601).
constexpr float kGrey[] = {0.2989f, 0.587f, 0.114f};

// Lane j of a channel's vector is number 3 * j + CHANNEL of three vectors that follow each other.
template <int CHANNEL, int... LANES>
SLIPSTREAM_INLINE Wide channel_of(const Wide (&pixels)[3], std::integer_sequence<int, LANES...>) {
  constexpr auto place = [](int lane) { return 3 * lane + CHANNEL; };
  const Wide two = __builtin_shufflevector(
      pixels[0], pixels[1], (place(LANES) < 2 * kLanes ? place(LANES) : 0)...);
  return __builtin_shufflevector(
      two, pixels[2], (place(LANES) < 2 * kLanes ? LANES : place(LANES) - kLanes)...);
}

// The PART-th of three vectors in which each lane of `v` comes three times.
template <int PART, int... LANES>
SLIPSTREAM_INLINE Wide thrice(Wide v, std::integer_sequence<int, LANES...>) {
  return __builtin_shufflevector(v, v, ((PART * kLanes + LANES) / 3)...);
}

// Blends `pixels` of three channels with their greys.
struct Pale {
  float share;
  Ends ends;

  SLIPSTREAM_INLINE void operator()(Wide (&pixels)[3]) const {
    constexpr std::make_integer_sequence<int, kLanes> lanes{};
    const Wide grey = share * (kGrey[0] * channel_of<0>(pixels, lanes) +
                               kGrey[1] * channel_of<1>(pixels, lanes) +
                               kGrey[2] * channel_of<2>(pixels, lanes));
    const float rest = 1.0f - share;
    pixels[0] = clip(rest * pixels[0] + thrice<0>(grey, lanes), ends.low, ends.high);
    pixels[1] = clip(rest * pixels[1] + thrice<1>(grey, lanes), ends.low, ends.high);
    pixels[2] = clip(rest * pixels[2] + thrice<2>(grey, lanes), ends.low, ends.high);
  }
};

ffi::Error run_pale(Threads threads, float low, float high, Array x, Array numbers, Output y) {
  const int64_t pixels = x.element_count() / 3, size = pixels / x.dimensions()[0];
  parallel_ranges(threads, pixels, 8192, [&](int64_t begin, int64_t end) {
    for (int64_t stop; begin < end; begin = stop) {
      const int64_t picture = begin / size;
      stop = std::min(end, (picture + 1) * size);
      const Pale pale{data<float>(numbers)[picture], {low, high}};
      const float* const from = data<float>(x) + 3 * begin;
      float* const to = data<float>(y) + 3 * begin;
      const auto change = [=](int64_t j, auto... some) {  // how many of each vector's numbers
        Wide found[3] = {};
        int v = 0;
        ((found[v] = take(from + j + v * kLanes, some), ++v), ...);
        pale(found);
        v = 0;
        ((put(to + j + v * kLanes, found[v], some), ++v), ...);
      };
      const int64_t count = 3 * (stop - begin);
      int64_t j = 0;
      for (; j + 3 * kLanes <= count; j += 3 * kLanes) change(j, Whole{}, Whole{}, Whole{});
      const auto left = [=](int v) {
        return std::clamp<int64_t>(count - j - v * kLanes, 0, kLanes);
      };
      if (j < count) change(j, left(0), left(1), left(2));
    }
  });
  return ffi::Error::Success();
}

// Numbers of each channel follow each other in so many vectors, and then come again.
template <int CHANNELS>
struct Period {
  static constexpr int kLength = CHANNELS * kLanes;
  Wide vectors[CHANNELS];

  // All numbers of each channel folded into one, which stands where they are.
  template <class Fold>
  static Period of(const float* x, int64_t size, float start, const Fold& fold) {
    Period found;
    for (Wide& vector : found.vectors) vector = splat<Wide>(start);
    int64_t i = 0;
    for (; i + kLength <= size; i += kLength)
      SLIPSTREAM_UNROLL for (int v = 0; v < CHANNELS; ++v)
        found.vectors[v] = fold(found.vectors[v], load<Wide>(x + i + v * kLanes));
    float lanes[kLength], totals[CHANNELS];
    std::fill_n(totals, CHANNELS, start);
    SLIPSTREAM_UNROLL for (int v = 0; v < CHANNELS; ++v)
      store(lanes + v * kLanes, found.vectors[v]);
    for (int j = 0; i < size; ++i, ++j) lanes[j] = fold(lanes[j], x[i]);
    for (int j = 0; j < kLength; ++j) totals[j % CHANNELS] = fold(totals[j % CHANNELS], lanes[j]);
    for (int j = 0; j < kLength; ++j) lanes[j] = totals[j % CHANNELS];
    SLIPSTREAM_UNROLL for (int v = 0; v < CHANNELS; ++v)
      found.vectors[v] = load<Wide>(lanes + v * kLanes);
    return found;
  }

  // Stores change(vector, place of its channels in a period) for the vectors of a picture.
  template <class Change>
  static void each(const float* x, int64_t size, float* y, const Change& change) {
    int64_t i = 0;
    for (; i + kLength <= size; i += kLength)
      SLIPSTREAM_UNROLL for (int v = 0; v < CHANNELS; ++v)
        store(y + i + v * kLanes, change(load<Wide>(x + i + v * kLanes), v));
    for (int v = 0; i < size; ++v, i += kLanes) {
      const int64_t some = std::min<int64_t>(kLanes, size - i);
      put(y + i, change(take(x + i, some), v), some);
    }
  }
};

// Calls body(picture, channels), where `channels` is a constant.
template <class Body>
void by_pictures(Threads& threads, const Array& x, const Body& body) {
  const int64_t batch = x.dimensions()[0], size = x.element_count() / batch;
  const auto all = [&](auto channels) {
    parallel_ranges(threads, batch, 16384 / size + 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) body(b, channels);
    });
  };
  switch (x.dimensions()[3]) {
    case 1: return all(std::integral_constant<int, 1>{});
    case 2: return all(std::integral_constant<int, 2>{});
    case 3: return all(std::integral_constant<int, 3>{});
    default: return all(std::integral_constant<int, 4>{});
  }
}

// A picture's second reading finds it in the cache, here and below.
ffi::Error run_contrast(Threads threads, float low, float high, Array x, Array numbers, Output y) {
  const int64_t size = x.element_count() / x.dimensions()[0];
  by_pictures(threads, x, [&](int64_t b, auto channels) {
    using Of = Period<channels()>;
    const float* const from = data<float>(x) + b * size;
    const float factor = data<float>(numbers)[b];
    auto means = Of::of(from, size, 0.0f, [](auto a, auto b) { return a + b; });
    for (Wide& mean : means.vectors) mean /= static_cast<float>(size / channels());
    Of::each(from, size, data<float>(y) + b * size, [=](Wide x, int v) {
      return clip((x - means.vectors[v]) * factor + means.vectors[v], low, high);
    });
  });
  return ffi::Error::Success();
}

// Each channel over all values between the ends; what has one value stays as it is.
ffi::Error run_stretch(Threads threads, float low, float high, Array x, Output y) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const int64_t size = x.element_count() / x.dimensions()[0];
  by_pictures(threads, x, [&](int64_t b, auto channels) {
    using Of = Period<channels()>;
    const float* const from = data<float>(x) + b * size;
    auto least = Of::of(from, size, infinity, [](auto a, auto b) { return b < a ? b : a; });
    const auto most = Of::of(from, size, -infinity, [](auto a, auto b) { return b > a ? b : a; });
    Of factors, starts;
    for (int v = 0; v < channels(); ++v) {
      const Wide span = most.vectors[v] - least.vectors[v], zero{}, one = zero + 1.0f;
      factors.vectors[v] = span == zero ? one : (high - low) / span;
      starts.vectors[v] = span == zero ? zero : zero + low;
      least.vectors[v] = span == zero ? zero : least.vectors[v];
    }
    Of::each(from, size, data<float>(y) + b * size, [=](Wide x, int v) {
      const Wide stretched = (x - least.vectors[v]) * factors.vectors[v] + starts.vectors[v];
      return clip(stretched, low, high);
    });
  });
  return ffi::Error::Success();
}

auto binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Attr<float>("low")
      .Attr<float>("high")
      .Arg<Array>()
      .Arg<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(posterize, run<Posterize>, binding());
SLIPSTREAM_HANDLER(solarize, run<Solarize>, binding());
SLIPSTREAM_HANDLER(contrast, run_contrast, binding());
SLIPSTREAM_HANDLER(scale, run_scale, binding());
SLIPSTREAM_HANDLER(pale, run_pale, binding());
SLIPSTREAM_HANDLER(stretch, run_stretch,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<float>("low")
                       .Attr<float>("high")
                       .Arg<Array>()
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
