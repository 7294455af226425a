// What this machine can do at most: multiply-adds held in registers, and memory moved, on all of
// XLA's threads. Each result is the best of many short bursts, so that a busy machine shows too.

#include <algorithm>
#include <chrono>

#include "handler.h"

namespace slipstream {
namespace {

double now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

// Enough independent chains to fill the pipelines, few enough to stay in registers.
inline constexpr int kChains = 12;
inline constexpr int64_t kRounds = 40000;

float multiply_add(float start) {
  Wide chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = splat<Wide>(start + static_cast<float>(i));
  const Wide factor = splat<Wide>(0.999f), term = splat<Wide>(start);
  for (int64_t round = 0; round < kRounds; ++round)
    for (int i = 0; i < kChains; ++i) chains[i] = chains[i] * factor + term;
  Wide total = chains[0];
  for (int i = 1; i < kChains; ++i) total = total + chains[i];
  return sum(total);
}

// result[0]: floating-point operations a second; a multiply-add counts as two.
ffi::Error measure_peak(Threads threads, Array start, Output result, int64_t microseconds) {
  const int64_t count = thread_count(threads);
  const float value = data<const float>(start)[0];
  const double flops = 2.0 * kLanes * kChains * static_cast<double>(kRounds * count);
  const double until = now() + 1e-6 * static_cast<double>(microseconds);
  Scratch scratch;
  float* sums = scratch.get(16 * count);
  double best = 0.0;
  do {
    const double begin = now();
    parallel_for(threads, count, [&](int64_t i) { sums[16 * i] = multiply_add(value); });
    best = std::max(best, flops / (now() - begin));
  } while (now() < until);
  float* out = data<float>(result);
  out[0] = static_cast<float>(best);
  out[1] = sums[0];  // so that nothing is left out
  return ffi::Error::Success();
}

// y = factor y + x: two numbers read, one written.
void triad(float* y, const float* x, int64_t count, float factor) {
  const Wide wide = splat<Wide>(factor);
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes)
    for (int j = 0; j < 4; ++j) {
      float* at = y + i + j * kLanes;
      store(at, load<Wide>(at) * wide + load<Wide>(x + i + j * kLanes));
    }
  for (; i < count; ++i) y[i] = y[i] * factor + x[i];
}

// result[i]: bytes a second, read and written, within sizes[i] bytes spread over all threads.
ffi::Error measure_stream(Threads threads, Array sizes, Output result, int64_t microseconds) {
  const int64_t count = thread_count(threads), levels = sizes.element_count();
  const int32_t* bytes = data<const int32_t>(sizes);
  float* out = data<float>(result);
  for (int64_t level = 0; level < levels; ++level) {
    const int64_t each = std::max<int64_t>(bytes[level] / (8 * count), 1);  // numbers in x and in y
    const int64_t passes = std::max<int64_t>((int64_t{16} << 20) / (12 * each * count), 1);
    const double amount = 12.0 * static_cast<double>(each * count * passes);
    const int64_t stride = (each + 63) / 16 * 16;
    Scratch memory;
    float* const base = memory.get(2 * stride * count);
    std::fill(base, base + 2 * stride * count, 1.0f);
    const double until = now() + 1e-6 * static_cast<double>(microseconds);
    double best = 0.0;
    do {
      const double begin = now();
      parallel_for(threads, count, [&](int64_t i) {
        float* const y = base + 2 * i * stride;
        for (int64_t pass = 0; pass < passes; ++pass) triad(y, y + stride, each, 0.5f);
      });
      best = std::max(best, amount / (now() - begin));
    } while (now() < until);
    out[level] = static_cast<float>(best);
  }
  return ffi::Error::Success();
}

auto binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Ret<ffi::AnyBuffer>()
      .Attr<int64_t>("microseconds");
}

SLIPSTREAM_HANDLER(peak, measure_peak, binding());
SLIPSTREAM_HANDLER(stream, measure_stream, binding());

}  // namespace
}  // namespace slipstream
