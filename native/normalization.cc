// Layer and RMS normalization along the rows of a matrix, with their gradients.

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

template <bool CENTRED, int ROWS, class T>
void normalize_rows(const T* x, const float* scale, const float* offset, int64_t length,
                    float epsilon, T* y, float* mean, float* factor) {
  float centre[ROWS] = {}, by[ROWS];
  if (CENTRED) {
    Wide sums[ROWS] = {};
    along(length, [&](int64_t j, auto count) {
      SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) sums[r] += take(x + r * length + j, count);
    });
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) centre[r] = sum(sums[r]) / length;
  }
  Wide squares[ROWS] = {};
  along(length, [&](int64_t j, auto count) {
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {
      const Wide centred = take(x + r * length + j, count, centre[r]) - centre[r];
      squares[r] += centred * centred;
      __builtin_prefetch(y + r * length + j, 1);
      __builtin_prefetch(x + (ROWS + r) * length + j);
    }
  });
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {
    by[r] = 1.0f / std::sqrt(sum(squares[r]) / length + epsilon);
    mean[r] = centre[r];
    factor[r] = by[r];
  }
  along(length, [&](int64_t j, auto count) {
    const Wide scaling = take(scale + j, count);
    const Wide shift = CENTRED ? take(offset + j, count) : Wide{};
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {
      const Wide centred = take(x + r * length + j, count) - centre[r];
      put(y + r * length + j, centred * by[r] * scaling + shift, count);
    }
  });
}

// Gradients of ROWS rows for the input; those for scale and offset are added to the sums.
template <bool CENTRED, int ROWS, class T>
void differentiate_rows(const T* x, const T* dy, const float* scale, int64_t length,
                        const float* mean, const float* factor, T* dx, float* dscale,
                        float* doffset) {
  Wide ones[ROWS] = {}, twos[ROWS] = {};
  along(length, [&](int64_t j, auto count) {
    const Wide by = take(scale + j, count);
    Wide scaling = take(dscale + j, count), shifting = take(doffset + j, count);
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {
      const Wide slope = take(dy + r * length + j, count);
      const Wide normalized = (take(x + r * length + j, count) - mean[r]) * factor[r];
      const Wide product = slope * normalized;
      if (CENTRED) ones[r] += slope * by;
      twos[r] += product * by;
      __builtin_prefetch(dx + r * length + j, 1);
      scaling += product;
      shifting += slope;
    }
    put(dscale + j, scaling, count);
    if (CENTRED) put(doffset + j, shifting, count);
  });
  float one[ROWS], two[ROWS];
  SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {
    one[r] = CENTRED ? sum(ones[r]) / length : 0.0f;
    two[r] = sum(twos[r]) / length;
  }
  along(length, [&](int64_t j, auto count) {
    const Wide by = take(scale + j, count);
    SLIPSTREAM_UNROLL for (int r = 0; r < ROWS; ++r) {
      const Wide slope = take(dy + r * length + j, count);
      const Wide normalized = (take(x + r * length + j, count) - mean[r]) * factor[r];
      __builtin_prefetch(x + (ROWS + r) * length + j);
      __builtin_prefetch(dy + (ROWS + r) * length + j);
      put(dx + r * length + j, (slope * by - one[r] - normalized * two[r]) * factor[r], count);
    }
  });
}

template <bool CENTRED, class T>
void differentiate(Threads& threads, const T* x, const T* dy, const float* scale, int64_t rows,
                   int64_t length, const float* mean, const float* factor, T* dx, float* dscale,
                   float* doffset) {
  // Each part sums apart; which rows are in it depends on the shape alone.
  const int64_t most = std::min<int64_t>(64, rows / 8);
  const int64_t parts = std::max<int64_t>(1, std::min(most, rows * length / 32768));
  static thread_local Scratch summing;
  float* const sums = parts > 1 ? summing.get(parts * 2 * length) : nullptr;
  parallel_for(threads, parts, [&](int64_t part) {
    float* const scaling = sums ? sums + part * 2 * length : dscale;
    float* const shifting = sums ? scaling + length : doffset;
    std::fill(scaling, scaling + length, 0.0f);
    std::fill(shifting, shifting + length, 0.0f);
    by_rows(part * rows / parts, (part + 1) * rows / parts, [&](int64_t r, auto some) {
      differentiate_rows<CENTRED, some()>(x + r * length, dy + r * length, scale, length, mean + r,
                                          factor + r, dx + r * length, scaling, shifting);
    });
  });
  if (sums == nullptr) return;
  std::fill(dscale, dscale + length, 0.0f);
  std::fill(doffset, doffset + length, 0.0f);
  for (int64_t part = 0; part < parts; ++part) {
    const float* const scaling = sums + part * 2 * length;
    for (int64_t j = 0; j < length; ++j) dscale[j] += scaling[j];
    for (int64_t j = 0; j < length; ++j) doffset[j] += scaling[length + j];
  }
}

template <class Body>
ffi::Error with_centred(ffi::DataType type, int64_t centred, const Body& body) {
  return with_storage(type, [&](auto storage) {
    if (centred)
      body(storage, std::true_type{});
    else
      body(storage, std::false_type{});
    return ffi::Error::Success();
  });
}

ffi::Error run_rows(Threads threads, Array x, Array scale, Array offset, int64_t centred,
                    float epsilon, Output y, Output mean, Output factor) {
  return with_centred(x.element_type(), centred, [&](auto storage, auto is_centred) {
    using T = decltype(storage);
    const int64_t rows = x.dimensions()[0], length = x.dimensions()[1];
    const T* const from = data<T>(x);
    T* const to = data<T>(y);
    parallel_ranges(threads, rows, 16384 / length + 1, [&](int64_t begin, int64_t end) {
      by_rows(begin, end, [&](int64_t r, auto some) {
        normalize_rows<is_centred(), some()>(from + r * length, data<float>(scale),
                                             data<float>(offset), length, epsilon, to + r * length,
                                             data<float>(mean) + r, data<float>(factor) + r);
      });
    });
  });
}

ffi::Error run_rows_gradient(Threads threads, Array x, Array scale, Array mean, Array factor,
                             Array dy, int64_t centred, Output dx, Output dscale,
                             Output doffset) {
  return with_centred(x.element_type(), centred, [&](auto storage, auto is_centred) {
    using T = decltype(storage);
    differentiate<is_centred()>(threads, data<T>(x), data<T>(dy), data<float>(scale),
                                x.dimensions()[0], x.dimensions()[1], data<float>(mean),
                                data<float>(factor), data<T>(dx), data<float>(dscale),
                                data<float>(doffset));
  });
}

auto rows_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<int64_t>("centred")
      .Attr<float>("epsilon")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

auto rows_gradient_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<int64_t>("centred")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(row_normalization, run_rows, rows_binding());
SLIPSTREAM_HANDLER(row_normalization_gradient, run_rows_gradient, rows_gradient_binding());

}  // namespace
}  // namespace slipstream
