// Softmax along rows, and cross-entropies of rows of logits, with their gradients.
//
// A cross-entropy keeps two numbers of each row, its largest logit and the sum of exponentials
// above it, and its gradient computes the shares anew: that takes less memory traffic than shares
// that are written down.

#include <cmath>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

constexpr float kLow = -__builtin_inff();
constexpr int64_t kLong = 512;  // such rows are worked on one by one, to stay in the cache

// Whether exponentials are written down until their sum is known. A narrow type would round them,
// and what was written in part is slow to read back; those are computed twice.
template <class T, class Count>
constexpr bool kKept = std::is_same_v<T, float> && std::is_same_v<Count, Whole>;

template <class Body>
void for_rows(Threads& threads, int64_t rows, int64_t length, const Body& body) {
  parallel_ranges(threads, rows, 8192 / length + 1, [&](int64_t begin, int64_t end) {
    if (length < kLong)
      by_rows(begin, end, body);
    else
      for (; begin < end; ++begin) body(begin, std::integral_constant<int, 1>{});
  });
}

template <int ROWS, class T>
SLIPSTREAM_INLINE void find_largest(const T* x, int64_t length, float (&found)[ROWS]) {
  Wide most[ROWS];
  for (int r = 0; r < ROWS; ++r) most[r] = splat<Wide>(kLow);
  along(length, [&](int64_t j, auto count) {
    for (int r = 0; r < ROWS; ++r)
      most[r] = maximum(most[r], take(x + r * length + j, count, kLow));
  });
  for (int r = 0; r < ROWS; ++r) found[r] = largest(most[r]);
}

template <int ROWS, class T>
void softmax_rows(const T* x, int64_t length, T* y) {
  if (length <= kLanes) {  // a row is one vector
    for (int r = 0; r < ROWS; ++r) {
      const Wide row = take(x + r * length, length, kLow);
      const Wide power = exponential(row - largest(row));
      put(y + r * length, power * (1.0f / sum(power)), length);
    }
    return;
  }
  float most[ROWS];
  find_largest(x, length, most);
  Wide totals[ROWS] = {};
  along(length, [&](int64_t j, auto count) {
    for (int r = 0; r < ROWS; ++r) {
      const int64_t at = r * length + j;
      const Wide power = exponential(take(x + at, count, kLow) - most[r]);
      totals[r] += power;
      if constexpr (kKept<T, decltype(count)>) put(y + at, power, count);
    }
  });
  float by[ROWS];
  for (int r = 0; r < ROWS; ++r) by[r] = 1.0f / sum(totals[r]);
  along(length, [&](int64_t j, auto count) {
    for (int r = 0; r < ROWS; ++r) {
      const int64_t at = r * length + j;
      __builtin_prefetch(x + ROWS * length + at);
      if constexpr (kKept<T, decltype(count)>)
        put(y + at, take(y + at, count) * by[r], count);
      else
        put(y + at, exponential(take(x + at, count) - most[r]) * by[r], count);
    }
  });
}

template <int ROWS, class T>
void softmax_gradient_rows(const T* y, const T* dy, int64_t length, T* dx) {
  Wide products[ROWS] = {};
  along(length, [&](int64_t j, auto count) {
    for (int r = 0; r < ROWS; ++r)
      products[r] += take(y + r * length + j, count) * take(dy + r * length + j, count);
  });
  float mean[ROWS];
  for (int r = 0; r < ROWS; ++r) mean[r] = sum(products[r]);
  along(length, [&](int64_t j, auto count) {
    for (int r = 0; r < ROWS; ++r) {
      const int64_t at = r * length + j;
      __builtin_prefetch(y + ROWS * length + at);
      __builtin_prefetch(dy + ROWS * length + at);
      put(dx + at, (take(dy + at, count) - mean[r]) * take(y + at, count), count);
    }
  });
}

template <int ROWS, class T>
void sum_exponentials(const T* x, int64_t length, float* most, float* total) {
  float found[ROWS];
  find_largest(x, length, found);
  Wide totals[ROWS] = {};
  along(length, [&](int64_t j, auto count) {
    for (int r = 0; r < ROWS; ++r) {
      const int64_t at = r * length + j;
      __builtin_prefetch(x + ROWS * length + at);
      totals[r] += exponential(take(x + at, count, kLow) - found[r]);
    }
  });
  for (int r = 0; r < ROWS; ++r) {
    most[r] = found[r];
    total[r] = sum(totals[r]);
  }
}

struct Rows {
  int64_t count, length;
  explicit Rows(const Array& x) : count(x.dimensions()[0]), length(x.dimensions()[1]) {}
};

ffi::Error run_softmax(Threads threads, Array x, Output y) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Rows m(x);
    for_rows(threads, m.count, m.length, [&](int64_t r, auto rows) {
      softmax_rows<rows()>(data<T>(x) + r * m.length, m.length, data<T>(y) + r * m.length);
    });
    return ffi::Error::Success();
  });
}

ffi::Error run_softmax_gradient(Threads threads, Array y, Array dy, Output dx) {
  return with_storage(y.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Rows m(y);
    for_rows(threads, m.count, m.length, [&](int64_t r, auto rows) {
      const int64_t at = r * m.length;
      softmax_gradient_rows<rows()>(data<T>(y) + at, data<T>(dy) + at, m.length,
                                    data<T>(dx) + at);
    });
    return ffi::Error::Success();
  });
}

// -log of the labelled share; 0 for a label that is no class.
ffi::Error run_label_entropy(Threads threads, Array x, Array labels, Output value, Output most,
                             Output total) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Rows m(x);
    const int32_t* const label = data<int32_t>(labels);
    float* const largest = data<float>(most);
    float* const sums = data<float>(total);
    for_rows(threads, m.count, m.length, [&](int64_t first, auto rows) {
      const T* const from = data<T>(x) + first * m.length;
      sum_exponentials<rows()>(from, m.length, largest + first, sums + first);
      for (int64_t r = first; r < first + rows(); ++r) {
        const bool known = label[r] >= 0 && label[r] < m.length;
        const float chosen = known ? to_float(from[(r - first) * m.length + label[r]]) : 0.0f;
        data<float>(value)[r] = known ? std::log(sums[r]) - (chosen - largest[r]) : 0.0f;
      }
    });
    return ffi::Error::Success();
  });
}

ffi::Error run_label_entropy_gradient(Threads threads, Array x, Array labels, Array most,
                                      Array total, Array dvalue, Output dx) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Rows m(x);
    const int32_t* const label = data<int32_t>(labels);
    for_rows(threads, m.count, m.length, [&](int64_t first, auto rows) {
      constexpr int count_rows = rows();
      const T* const from = data<T>(x) + first * m.length;
      T* const to = data<T>(dx) + first * m.length;
      float by[count_rows], largest[count_rows];
      bool known[count_rows];
      for (int r = 0; r < count_rows; ++r) {
        known[r] = label[first + r] >= 0 && label[first + r] < m.length;
        largest[r] = data<float>(most)[first + r];
        by[r] = known[r] ? data<float>(dvalue)[first + r] / data<float>(total)[first + r] : 0.0f;
      }
      along(m.length, [&](int64_t j, auto count) {
        for (int r = 0; r < count_rows; ++r) {
          const int64_t at = r * m.length + j;
          put(to + at, exponential(take(from + at, count) - largest[r]) * by[r], count);
        }
      });
      for (int r = 0; r < count_rows; ++r) {
        T* const row = to + r * m.length;
        const float slope = data<float>(dvalue)[first + r];
        if (known[r]) {
          const int64_t at = label[first + r];
          const float share = std::exp(to_float(from[r * m.length + at]) - largest[r]);
          row[at] = from_float<T>(share * by[r] - slope);
        }
      }
    });
    return ffi::Error::Success();
  });
}

// -sum(t log share) of targets t = (1 - smoothing) * target + smoothing / length.
ffi::Error run_entropy(Threads threads, Array x, Array target, float smoothing, Output value,
                       Output most, Output total, Output weight) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Rows m(x);
    float* const largest = data<float>(most);
    float* const sums = data<float>(total);
    for_rows(threads, m.count, m.length, [&](int64_t first, auto rows) {
      constexpr int count_rows = rows();
      const T* const from = data<T>(x) + first * m.length;
      const T* const wanted = data<T>(target) + first * m.length;
      float found[count_rows];
      find_largest(from, m.length, found);
      Wide totals[count_rows] = {}, weights[count_rows] = {}, products[count_rows] = {};
      const float keep = 1.0f - smoothing, more = smoothing / m.length;
      along(m.length, [&](int64_t j, auto count) {
        for (int r = 0; r < count_rows; ++r) {
          const int64_t at = r * m.length + j;
          const Wide t = take(wanted + at, count) * keep + more;
          totals[r] += exponential(take(from + at, count, kLow) - found[r]);
          products[r] += t * (take(from + at, count, found[r]) - found[r]);
          weights[r] += take(wanted + at, count);
        }
      });
      for (int r = 0; r < count_rows; ++r) {
        const float all = sum(weights[r]) * keep + smoothing;
        largest[first + r] = found[r];
        sums[first + r] = sum(totals[r]);
        data<float>(weight)[first + r] = all;
        data<float>(value)[first + r] = std::log(sums[first + r]) * all - sum(products[r]);
      }
    });
    return ffi::Error::Success();
  });
}

ffi::Error run_entropy_gradient(Threads threads, Array x, Array target, Array most, Array total,
                                Array weight, Array dvalue, float smoothing, Output dx) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Rows m(x);
    for_rows(threads, m.count, m.length, [&](int64_t first, auto rows) {
      constexpr int count_rows = rows();
      const T* const from = data<T>(x) + first * m.length;
      const T* const wanted = data<T>(target) + first * m.length;
      T* const to = data<T>(dx) + first * m.length;
      float by[count_rows], largest[count_rows], keep[count_rows], more[count_rows];
      for (int r = 0; r < count_rows; ++r) {
        const float slope = data<float>(dvalue)[first + r];
        largest[r] = data<float>(most)[first + r];
        by[r] = slope * data<float>(weight)[first + r] / data<float>(total)[first + r];
        keep[r] = slope * (1.0f - smoothing);
        more[r] = slope * smoothing / m.length;
      }
      along(m.length, [&](int64_t j, auto count) {
        for (int r = 0; r < count_rows; ++r) {
          const int64_t at = r * m.length + j;
          const Wide share = exponential(take(from + at, count) - largest[r]) * by[r];
          put(to + at, share - take(wanted + at, count) * keep[r] - more[r], count);
        }
      });
    });
    return ffi::Error::Success();
  });
}

auto softmax_binding() { return ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>(); }

auto softmax_gradient_binding() {
  return ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>().Ret<Array>();
}

auto label_entropy_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

auto label_entropy_gradient_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Ret<Array>();
}

auto entropy_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<float>("smoothing")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

auto entropy_gradient_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<float>("smoothing")
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(softmax, run_softmax, softmax_binding());
SLIPSTREAM_HANDLER(softmax_gradient, run_softmax_gradient, softmax_gradient_binding());
SLIPSTREAM_HANDLER(label_entropy, run_label_entropy, label_entropy_binding());
SLIPSTREAM_HANDLER(label_entropy_gradient, run_label_entropy_gradient,
                   label_entropy_gradient_binding());
SLIPSTREAM_HANDLER(entropy, run_entropy, entropy_binding());
SLIPSTREAM_HANDLER(entropy_gradient, run_entropy_gradient, entropy_gradient_binding());

}  // namespace
}  // namespace slipstream
