// Pictures that are mixed with another one of the batch.

#include <algorithm>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

// Pictures of a batch, each with a partner.
struct Pairs {
  const float* x;
  const int32_t* order;
  int32_t batch;
  int64_t size;  // numbers in a picture

  Pairs(const Array& x, const Array& order)
      : x(static_cast<const float*>(x.untyped_data())),
        order(static_cast<const int32_t*>(order.untyped_data())),
        batch(static_cast<int32_t>(x.dimensions()[0])),
        size(x.element_count() / batch) {}

  const float* own(int64_t b) const { return x + b * size; }
  const float* other(int64_t b) const {
    return x + std::clamp<int32_t>(order[b], 0, batch - 1) * size;
  }
};

ffi::Error run_blend(Threads threads, Array x, Array order, Array weights, Output y) {
  const Pairs pairs(x, order);
  const float* const shares = data<float>(weights);
  float* const to = data<float>(y);
  parallel_ranges(threads, x.element_count(), 16384, [&](int64_t begin, int64_t end) {
    for (int64_t stop; begin < end; begin = stop) {
      const int64_t b = begin / pairs.size, i = begin % pairs.size;
      stop = std::min(end, (b + 1) * pairs.size);
      const float *const own = pairs.own(b) + i, *const other = pairs.other(b) + i;
      float* const result = to + begin;
      const float share = shares[b], rest = 1.0f - share;
      // By value: what is stored might change references, which would be read again each time.
      along(stop - begin, [=](int64_t j, auto some) {
        put(result + j, share * take(own + j, some) + rest * take(other + j, some), some);
      });
    }
  });
  return ffi::Error::Success();
}

// For each number of a line, 1 where its column is chosen and 0 elsewhere.
void spread(const bool* columns, int64_t width, int64_t channels, float* line) {
  for (int64_t x = 0; x < width; ++x)
    for (int64_t c = 0; c < channels; ++c) *line++ = columns[x];
}

ffi::Error run_paste(Threads threads, Array x, Array order, Array rows, Array columns, Output y) {
  const Pairs pairs(x, order);
  const int64_t height = x.dimensions()[1], width = x.dimensions()[2];
  const int64_t channels = x.dimensions()[3], line = width * channels;
  const bool* const chosen = data<bool>(rows);
  parallel_ranges(threads, pairs.batch * height, 16384 / line + 1, [&](int64_t begin, int64_t end) {
    static thread_local Scratch scratch;
    float* const mask = scratch.get(line);
    int64_t spread_of = -1;
    for (int64_t i = begin, next; i < end; i = next) {
      const int64_t b = i / height, start = i % height * line;
      const float* const own = pairs.own(b) + start;
      float* const to = data<float>(y) + i * line;
      next = i + 1;
      if (!chosen[i]) {  // lines follow each other in both arrays, and are copied together
        while (next < end && !chosen[next]) ++next;
        const int64_t count = (next - i) * line;
        along(count, [=](int64_t j, auto some) { put(to + j, take(own + j, some), some); });
        continue;
      }
      if (spread_of != b) spread(data<bool>(columns) + b * width, width, channels, mask);
      spread_of = b;
      const float* const other = pairs.other(b) + start;
      along(line, [=](int64_t j, auto some) {
        const Wide here = take(own + j, some), there = take(other + j, some);
        put(to + j, take(mask + j, some) != 0.0f ? there : here, some);
      });
    }
  });
  return ffi::Error::Success();
}

auto with_partners() { return ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>(); }

SLIPSTREAM_HANDLER(blend, run_blend, with_partners().Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(paste, run_paste, with_partners().Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
