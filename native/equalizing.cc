// Makes all values of a channel of a picture about equally frequent.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "ends.h"
#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

struct Equalizer {
  Ends ends;
  int64_t bins, channels, size;  // numbers in a picture

  SLIPSTREAM_INLINE Wide values_of(Wide x) const {
    return clip(ends.bytes() ? x : ends.to_bytes(x), 0.0f, 255.0f);
  }

  // Which of the bins each number belongs to; NaN to the first.
  void find_levels(const float* x, int32_t* levels) const {
    typedef VectorOf<kLanes>::Int Int;
    const float scale = static_cast<float>(static_cast<double>(bins - 1) / 255.0);
    along(size, [=](int64_t j, auto some) {
      const Wide level = values_of(take(x + j, some)) * scale;
      const Int whole = __builtin_convertvector(level == level ? level : Wide{}, Int);
      std::memcpy(levels + j, &whole, some * sizeof(int32_t));
    });
  }

  // What becomes of each level of a channel. False, and no table, if there is one level alone.
  bool make_table(const int32_t* counts, float* table) const {
    const int64_t total = size / channels;
    const int32_t least = *std::find_if(counts, counts + bins, [](int32_t n) { return n > 0; });
    if (least == total) return false;
    const float span = static_cast<float>(total) - static_cast<float>(least);
    int64_t sum = 0;
    for (int64_t level = 0; level < bins; ++level) {
      sum += counts[level];
      const float share = (static_cast<float>(sum) - static_cast<float>(least)) * 255.0f / span;
      const float value = std::clamp(std::nearbyint(share), 0.0f, 255.0f);
      table[level] = ends.bytes() ? value : ends.from_bytes(value);
    }
    return true;
  }

  void keep_channel(const float* x, float* y, int64_t channel) const {
    for (int64_t i = channel; i < size; i += channels) {
      const Wide value = values_of(splat<Wide>(x[i]));
      y[i] = (ends.bytes() ? value : ends.from_bytes(value))[0];
    }
  }

  // Calls body(i, place) for each number of a picture, with its place in all channels' tables.
  template <class Body>
  SLIPSTREAM_INLINE void each(const int32_t* levels, const Body& body) const {
    for (int64_t i = 0; i < size;)
      for (int64_t c = 0; c < channels; ++c, ++i) body(i, c * bins + levels[i]);
  }

  void operator()(const float* x, float* y) const {
    static thread_local std::vector<int32_t> levels, counts;
    static thread_local std::vector<float> tables;
    levels.resize(size);
    counts.assign(channels * bins, 0);
    tables.resize(channels * bins);
    find_levels(x, levels.data());
    int32_t* const count = counts.data();
    each(levels.data(), [=](int64_t, int64_t place) { ++count[place]; });
    std::vector<int64_t> kept;
    for (int64_t c = 0; c < channels; ++c)
      if (!make_table(counts.data() + c * bins, tables.data() + c * bins)) kept.push_back(c);
    const float* const table = tables.data();
    each(levels.data(), [=](int64_t i, int64_t place) { y[i] = table[place]; });
    for (const int64_t channel : kept) keep_channel(x, y, channel);
  }
};

ffi::Error run(Threads threads, float low, float high, int64_t bins, Array x, Output y) {
  const int64_t batch = x.dimensions()[0], size = x.element_count() / batch;
  const Equalizer equalize{{low, high}, bins, x.dimensions()[3], size};
  parallel_ranges(threads, batch, 4096 / size + 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      equalize(data<float>(x) + b * size, data<float>(y) + b * size);
  });
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(equalize, run,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<float>("low")
                       .Attr<float>("high")
                       .Attr<int64_t>("bins")
                       .Arg<Array>()
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
