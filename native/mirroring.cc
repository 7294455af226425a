// Pictures of a batch, some of them mirrored: left to right, upside down, or both.

#include <algorithm>
#include <utility>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

// The whole pixels at a vector's end in reverse. What the lanes behind them hold does not matter.
template <int CHANNELS, int... LANES>
SLIPSTREAM_INLINE Wide reversed(Wide v, std::integer_sequence<int, LANES...>) {
  constexpr int pixels = kLanes / CHANNELS, numbers = pixels * CHANNELS;
  return __builtin_shufflevector(
      v, v, (LANES < numbers ? kLanes - (LANES / CHANNELS + 1) * CHANNELS + LANES % CHANNELS : LANES)...);
}

template <int CHANNELS>
void mirror_line(const float* from, int64_t width, int64_t, float* to) {
  constexpr int numbers = kLanes / CHANNELS * CHANNELS;
  const int64_t line = width * CHANNELS;
  int64_t j = 0;
  for (; j + kLanes <= line; j += numbers)  // a store may reach into the pixels that come next
    store(to + j, reversed<CHANNELS>(load<Wide>(from + line - j - kLanes),
                                     std::make_integer_sequence<int, kLanes>{}));
  for (; j < line; j += CHANNELS)
    for (int c = 0; c < CHANNELS; ++c) to[j + c] = from[line - j - CHANNELS + c];
}

void mirror_any_line(const float* from, int64_t width, int64_t channels, float* to) {
  for (int64_t x = 0; x < width; ++x, to += channels)
    std::copy_n(from + (width - 1 - x) * channels, channels, to);
}

ffi::Error run(Threads threads, int64_t vertical, int64_t horizontal, Array x, Array chosen,
               Output y) {
  const int64_t batch = x.dimensions()[0], height = x.dimensions()[1], width = x.dimensions()[2];
  const int64_t channels = x.dimensions()[3], line = width * channels;
  constexpr decltype(&mirror_any_line) known[] = {mirror_line<1>, mirror_line<2>, mirror_line<3>,
                                                  mirror_line<4>};
  const auto mirror = channels <= 4 ? known[channels - 1] : mirror_any_line;
  const bool* const turned = data<bool>(chosen);
  parallel_ranges(threads, batch * height, 16384 / line + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / height, row = i % height;
      const int64_t source = turned[b] && vertical ? height - 1 - row : row;
      const float* const from = data<float>(x) + (b * height + source) * line;
      float* const to = data<float>(y) + i * line;
      if (turned[b] && horizontal)
        mirror(from, width, channels, to);
      else
        along(line, [=](int64_t j, auto some) { put(to + j, take(from + j, some), some); });
    }
  });
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(mirror, run,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<int64_t>("vertical")
                       .Attr<int64_t>("horizontal")
                       .Arg<Array>()
                       .Arg<Array>()
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
