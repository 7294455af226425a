// The gradient of a depthwise convolution's kernel: sums over positions, apart for each tap.

#include <algorithm>
#include <cstring>
#include <vector>

#include "depthwise.h"
#include "depthwise_frame.h"

namespace slipstream {
namespace {

template <class V, int COUNT, class T, class R>
SLIPSTREAM_INLINE void accumulate_tile(const T* source, int64_t source_step, const Tap* taps,
                                       const R* gradient, int64_t gradient_step, int64_t count,
                                       float* sums, int64_t row) {
  V held[COUNT];
  for (int t = 0; t < COUNT; ++t) held[t] = V{};
  for (int64_t p = 0; p < count; ++p) {
    const V value = load<V>(gradient + p * gradient_step);
    for (int t = 0; t < COUNT; ++t)
      held[t] += load<V>(source + taps[t].offset + p * source_step) * value;
  }
  for (int t = 0; t < COUNT; ++t) {
    float* const to = sums + taps[t].index * row;
    store(to, load<V>(to) + held[t]);
  }
}

// sums[tap] += source * gradient over `count` positions of `row` numbers, a vector after another.
// A function of its own: within a larger one the compiler runs out of registers.
template <class V, class T, class R>
__attribute__((noinline)) void accumulate(const T* source, int64_t source_step,
                                          const std::vector<Tap>& taps, const R* gradient,
                                          int64_t gradient_step, int64_t count, int64_t row,
                                          float* sums) {
  constexpr int64_t run = 32;  // positions that the first cache holds
  for (int64_t p = 0; p < count; p += run) {
    const auto tiles = [&](auto size, size_t t) {
      for (int64_t i = 0; i * kSize<V> < row; ++i) {
        const int64_t c = vector_at<V>(i, row);
        accumulate_tile<V, decltype(size)::value>(
            source + p * source_step + c, source_step, taps.data() + t,
            gradient + p * gradient_step + c, gradient_step, std::min(run, count - p),
            sums + i * kSize<V>, whole<V>(row));
      }
    };
    size_t t = 0;
    for (; t + 9 <= taps.size(); t += 9) tiles(Count<9>{}, t);
    for (; t + 6 <= taps.size(); t += 6) tiles(Count<6>{}, t);
    for (; t + 3 <= taps.size(); t += 3) tiles(Count<3>{}, t);
    for (; t < taps.size(); ++t) tiles(Count<1>{}, t);
  }
}

// Sums that parts of the work take apart; added up in the parts' order, so that results repeat.
template <class V>
class PartialSums {
 public:
  PartialSums(int64_t parts, int64_t taps, int64_t row)
      : parts_(parts), taps_(taps), row_(row), sums_(memory().get(parts * part_size())) {
    std::memset(sums_, 0, parts * part_size() * sizeof(float));
  }
  float* part(int64_t part) const { return sums_ + part * part_size(); }

  template <class T>
  void add_up(int64_t filters, T* dw) const {
    for (int64_t tap = 0; tap < taps_; ++tap)
      for (int64_t f = 0; f < filters; ++f) {
        float total = 0.0f;
        for (int64_t p = 0; p < parts_; ++p)
          for (int64_t i = f; i < row_; i += filters) {  // positions of a group
            const int64_t vector = i / kSize<V>;
            total += part(p)[tap * whole<V>(row_) + vector * kSize<V> + i -
                             vector_at<V>(vector, row_)];
          }
        dw[tap * filters + f] = from_float<T>(total);
      }
  }

 private:
  int64_t part_size() const { return taps_ * whole<V>(row_); }
  static Scratch& memory() {
    static thread_local Scratch scratch;
    return scratch;
  }
  int64_t parts_, taps_, row_;
  float* sums_;
};

template <class T>
void run_plain(Threads& threads, const Depthwise& d, const T* x, const T* dy, T* dw) {
  const Plan plan(d.windows, false);
  const int64_t row = d.channels;
  const int64_t parts = parts_of(threads, d, plan, stretches_of(d, plan), 2);
  with_vectors(row, [&](auto width) {
    using V = decltype(width);
    const PartialSums<V> sums(parts, d.taps(), row);
    for_plain(threads, d, plan, parts, [&](int64_t part, const Stretch& s) {
      accumulate<V>(x + s.image * volume(plan.source) * row, s.source_step, s.taps,
                    dy + s.image * volume(plan.target) * row + s.target, row, s.count, row,
                    sums.part(part));
    });
    sums.add_up(row, dw);
  });
}

template <class T>
void run_framed(Threads& threads, const Depthwise& d, const T* x, const T* dy, T* dw) {
  const DepthwiseFrame frame(d, false);
  const Plan plan(frame.windows, false);
  const int64_t filters = d.filters(), row = frame.row;
  const int64_t parts = parts_of(threads, d, plan, d.windows.batch * plan.lines(), 2);
  const PartialSums<Wide> sums(parts, d.taps(), row);
  for_framed(threads, frame, plan, x, d.windows.in[2], d.channels, parts,
             [&](int64_t part, int64_t line, const float* copies, const std::vector<Tap>& taps,
                 const Segment& segment) {
               static thread_local Scratch grading;
               const int64_t count = segment.count * filters;
               const int64_t groups = divide_up(segment.count, frame.group);
               float* const gradient = grading.get(groups * row);
               convert(dy + line * count, count, gradient);
               std::memset(gradient + count, 0, (groups * row - count) * sizeof(float));
               accumulate<Wide>(copies, row, taps, gradient, row, groups, row, sums.part(part));
             });
  sums.add_up(filters, dw);
}

ffi::Error run(Threads threads, Array x, Array dy, Numbers stride, Numbers dilation, Numbers low,
               int64_t groups, Output dw) {
  return with_storage(x.element_type(), [&](auto type) {
    using T = decltype(type);
    const Depthwise d = depthwise_of(x, *dw, dy, stride, dilation, low, groups);
    if (d.plain())
      run_plain(threads, d, data<T>(x), data<T>(dy), data<T>(dw));
    else
      run_framed(threads, d, data<T>(x), data<T>(dy), data<T>(dw));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(depthwise_kernel_gradient, run, windowed());

}  // namespace
}  // namespace slipstream
