// The mean over all positions of each channel, and its gradient.

#include <algorithm>
#include <cstring>
#include <vector>

#include "handler.h"

namespace slipstream {
namespace {

// Positions of few channels are laid side by side, so that they fill vectors.
int64_t side_by_side(int64_t channels, int64_t least) {
  return channels < least ? (least + channels - 1) / channels : 1;
}

// How many parts an image's positions are taken in; it depends on the shape alone.
int64_t parts_of(int64_t batch, int64_t positions, int64_t channels) {
  if (batch >= 16) return 1;
  const int64_t most = std::min(64 / batch, positions * channels / 32768);
  return std::clamp<int64_t>(most, 1, positions);
}

// Sums of some vectors down `lines` lines, taken in blocks, as their rounding errors add up.
template <int VECTORS, class T>
SLIPSTREAM_INLINE void add_down(const T* x, int64_t lines, int64_t width, float* sums) {
  constexpr int64_t block = 64;
  Wide total[VECTORS] = {};
  for (int64_t begin = 0; begin < lines; begin += block) {
    Wide own[VECTORS] = {};
    for (int64_t i = begin; i < std::min(lines, begin + block); ++i, x += width)
      for (int v = 0; v < VECTORS; ++v) own[v] += load<Wide>(x + v * kLanes);
    for (int v = 0; v < VECTORS; ++v) total[v] += own[v];
  }
  for (int v = 0; v < VECTORS; ++v) store(sums + v * kLanes, total[v]);
}

// Sums over positions [0, count) of each channel.
template <class T>
void add_positions(const T* x, int64_t count, int64_t channels, float* sums) {
  static thread_local Scratch scratch;
  const int64_t times = side_by_side(channels, 4 * kLanes), width = times * channels;
  float* const wide = scratch.get(width);
  const int64_t lines = count / times;
  int64_t c = 0;
  for (; c + 4 * kLanes <= width; c += 4 * kLanes) add_down<4>(x + c, lines, width, wide + c);
  for (; c + kLanes <= width; c += kLanes) add_down<1>(x + c, lines, width, wide + c);
  if (c < width) add_down<1>(x + width - kLanes, lines, width, wide + width - kLanes);
  std::copy(wide, wide + channels, sums);
  for (int64_t i = channels; i < width; ++i) sums[i % channels] += wide[i];
  for (int64_t i = lines * width; i < count * channels; ++i)
    sums[i % channels] += to_float(x[i]);
}

template <class T>
void mean(Threads& threads, int64_t batch, int64_t positions, int64_t channels, const T* x, T* y) {
  const int64_t parts = parts_of(batch, positions, channels);
  std::vector<float> sums(batch * parts * channels);
  const int64_t grain = 32768 / std::max<int64_t>(positions / parts * channels, 1) + 1;
  parallel_ranges(threads, batch * parts, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i % parts, from = part * positions / parts;
      const int64_t count = (part + 1) * positions / parts - from;
      add_positions(x + (i / parts * positions + from) * channels, count, channels,
                    &sums[i * channels]);
    }
  });
  const float share = 1.0f / static_cast<float>(positions);
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t c = 0; c < channels; ++c) {
      float total = 0.0f;
      for (int64_t part = 0; part < parts; ++part) total += sums[(n * parts + part) * channels + c];
      y[n * channels + c] = from_float<T>(total * share);
    }
}

template <class T>
void spread(Threads& threads, int64_t batch, int64_t positions, int64_t channels, const T* dy,
            T* dx) {
  const int64_t times = side_by_side(channels, 1024), width = times * channels;
  const float share = 1.0f / static_cast<float>(positions);
  const int64_t lines = (positions + times - 1) / times;
  parallel_ranges(threads, batch * lines, 32768 / width + 1, [&](int64_t begin, int64_t end) {
    static thread_local std::vector<T> row;
    row.resize(width);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / lines, from = i % lines * times;
      if (i == begin || from == 0) {
        for (int64_t k = 0; k < channels; ++k)
          row[k] = from_float<T>(to_float(dy[n * channels + k]) * share);
        for (int64_t k = channels; k < width; ++k) row[k] = row[k - channels];
      }
      const int64_t count = std::min(times, positions - from);
      std::memcpy(dx + (n * positions + from) * channels, row.data(),
                  count * channels * sizeof(T));
    }
  });
}

ffi::Error run_mean(Threads threads, Array x, Output y) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const auto sizes = x.dimensions();
    mean(threads, sizes[0], sizes[1], sizes[2], data<T>(x), data<T>(y));
    return ffi::Error::Success();
  });
}

ffi::Error run_mean_gradient(Threads threads, Array dy, Output dx) {
  return with_storage(dy.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const auto sizes = dx->dimensions();
    spread(threads, sizes[0], sizes[1], sizes[2], data<T>(dy), data<T>(dx));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(global_mean, run_mean,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(global_mean_gradient, run_mean_gradient,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
