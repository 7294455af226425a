// What this machine can do at most: multiply-adds held in registers, and memory moved, on all of
// XLA's threads. Each figure is the best of many short bursts, so that a busy machine shows it too.

#include <algorithm>
#include <chrono>
#include <vector>

#include "handler.h"

namespace slipstream {
namespace {

double now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

// Enough independent chains to fill the pipelines, few enough to stay in registers.
inline constexpr int kChains = 12;
inline constexpr int64_t kRounds = 10000;

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

// The rates of all threads together. Each thread repeats burst(i), worth `amount`, for a while and
// counts its best: a thread that something else interrupts for a time loses nothing by it.
template <class Burst>
double best_rate(Threads& threads, int64_t microseconds, double amount, const Burst& burst) {
  const int64_t count = thread_count(threads);
  std::vector<double> best(static_cast<size_t>(8 * count));
  parallel_for(threads, count, [&](int64_t i) {
    const double until = now() + 1e-6 * static_cast<double>(microseconds);
    double least = 1e30;
    for (double begin = now(); begin < until;) {
      burst(i);
      const double end = now();
      least = std::min(least, end - begin);
      begin = end;
    }
    best[static_cast<size_t>(8 * i)] = amount / least;
  });
  double rate = 0.0;
  for (int64_t i = 0; i < count; ++i) rate += best[static_cast<size_t>(8 * i)];
  return rate;
}

// result[0]: floating-point operations a second; a multiply-add counts as two.
ffi::Error measure_peak(Threads threads, Array start, Output result, int64_t microseconds) {
  const float value = data<const float>(start)[0];
  const double flops = 2.0 * kLanes * kChains * static_cast<double>(kRounds);
  std::vector<float> sums(static_cast<size_t>(16 * thread_count(threads)));
  const double rate = best_rate(threads, microseconds, flops, [&](int64_t i) {
    sums[static_cast<size_t>(16 * i)] = multiply_add(value);
  });
  float* out = data<float>(result);
  out[0] = static_cast<float>(rate);
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

// Up to here each core has its data to itself, and its rate does not depend on the others.
inline constexpr int64_t kPrivate = int64_t{4} << 20;

// result[i]: bytes a second, read and written, within sizes[i] bytes spread over all threads.
ffi::Error measure_stream(Threads threads, Array sizes, Output result, int64_t microseconds) {
  const int64_t count = thread_count(threads), levels = sizes.element_count();
  const int32_t* bytes = data<const int32_t>(sizes);
  float* out = data<float>(result);
  for (int64_t level = 0; level < levels; ++level) {
    const int64_t each = std::max<int64_t>(bytes[level] / (8 * count), 1);  // numbers in x and in y
    const int64_t passes = std::max<int64_t>((int64_t{1} << 20) / (12 * each), 1);
    const double amount = 12.0 * static_cast<double>(each * passes);
    const int64_t stride = (each + 63) / 16 * 16;
    Scratch memory;
    float* const base = memory.get(2 * stride * count);
    std::fill(base, base + 2 * stride * count, 1.0f);
    const auto burst = [&](int64_t i) {
      float* const y = base + 2 * i * stride;
      for (int64_t pass = 0; pass < passes; ++pass) triad(y, y + stride, each, 0.5f);
    };
    double best = 0.0;
    if (bytes[level] <= kPrivate) {
      best = best_rate(threads, microseconds, amount, burst);
    } else {
      const double until = now() + 1e-6 * static_cast<double>(microseconds);
      do {
        const double begin = now();
        parallel_for(threads, count, burst);
        best = std::max(best, amount * static_cast<double>(count) / (now() - begin));
      } while (now() < until);
    }
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
