// What is done to each number of pictures, by one or two numbers of each picture's own.

#include <algorithm>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

// The least and the greatest value of a pixel, and how these become 0 to 255 and back.
struct Ends {
  float low, high;

  bool bytes() const { return low == 0.0f && high == 255.0f; }
  SLIPSTREAM_INLINE Wide to_bytes(Wide x) const { return (x - low) * (255.0f / (high - low)); }
  SLIPSTREAM_INLINE Wide from_bytes(Wide x) const { return x * ((high - low) / 255.0f) + low; }
};

// Comparisons choose the second where there is NaN, so that it stays.
SLIPSTREAM_INLINE Wide clip(Wide x, float low, float high) {
  const Wide least = low - Wide{}, most = high - Wide{};
  return minimum(most, maximum(least, x));
}

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

// Numbers of each channel follow each other in so many vectors, and then come again.
template <int CHANNELS>
struct Period {
  static constexpr int kLength = CHANNELS * kLanes;
  Wide vectors[CHANNELS];

  // Each channel's mean where its numbers are.
  static Period means(const float* x, int64_t size) {
    Period sums{};
    int64_t i = 0;
    for (; i + kLength <= size; i += kLength)
      for (int v = 0; v < CHANNELS; ++v) sums.vectors[v] += load<Wide>(x + i + v * kLanes);
    float lanes[kLength], totals[CHANNELS] = {};
    for (int v = 0; v < CHANNELS; ++v) store(lanes + v * kLanes, sums.vectors[v]);
    for (int j = 0; i < size; ++i, ++j) lanes[j] += x[i];
    for (int j = 0; j < kLength; ++j) totals[j % CHANNELS] += lanes[j];
    for (int j = 0; j < kLength; ++j) lanes[j] = totals[j % CHANNELS] / (size / CHANNELS);
    for (int v = 0; v < CHANNELS; ++v) sums.vectors[v] = load<Wide>(lanes + v * kLanes);
    return sums;
  }
};

// A picture's second reading finds it in the cache.
template <int CHANNELS>
void contrast_picture(const float* x, int64_t size, float factor, Ends ends, float* y) {
  const auto means = Period<CHANNELS>::means(x, size);
  constexpr int64_t length = Period<CHANNELS>::kLength;
  const auto change = [=](Wide x, Wide mean) {
    return clip((x - mean) * factor + mean, ends.low, ends.high);
  };
  int64_t i = 0;
  for (; i + length <= size; i += length)
    for (int v = 0; v < CHANNELS; ++v)
      store(y + i + v * kLanes, change(load<Wide>(x + i + v * kLanes), means.vectors[v]));
  for (int v = 0; i < size; ++v, i += kLanes) {
    const int64_t some = std::min<int64_t>(kLanes, size - i);
    put(y + i, change(take(x + i, some), means.vectors[v]), some);
  }
}

ffi::Error run_contrast(Threads threads, float low, float high, Array x, Array numbers, Output y) {
  constexpr decltype(&contrast_picture<1>) chosen[] = {contrast_picture<1>, contrast_picture<2>,
                                                       contrast_picture<3>, contrast_picture<4>};
  const int64_t batch = x.dimensions()[0], size = x.element_count() / batch;
  const auto picture = chosen[x.dimensions()[3] - 1];
  parallel_ranges(threads, batch, 16384 / size + 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      picture(data<float>(x) + b * size, size, data<float>(numbers)[b], {low, high},
              data<float>(y) + b * size);
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

}  // namespace
}  // namespace slipstream
