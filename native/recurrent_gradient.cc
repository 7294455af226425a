// The gradient of a recurrence: from the last step to the first.

#include <algorithm>
#include <vector>

#include "recurrent.h"

namespace slipstream {
namespace {

// Arrays that are not there are null.
template <class T>
struct Gradients {
  const T *kernel, *scale, *gates, *extra, *before, *output, *last_c;
  T *dz, *dinner, *bias, *h, *c, *dscale;
};

__attribute__((noinline)) void add(const float* from, int64_t length, float* to) {
  along(length, [&](int64_t j, auto count) {
    put(to + j, take(to + j, count) + take(from + j, count), count);
  });
}

// to += a * b
template <class T>
__attribute__((noinline)) void add_products(const float* a, const T* b, int64_t length,
                                            float* to) {
  along(length, [&](int64_t j, auto count) {
    put(to + j, take(to + j, count) + take(a + j, count) * take(b + j, count), count);
  });
}

// A step that the mask skips: the state's gradient passes, and what was not used has none.
template <class Cell, class T>
void skip(const StepBack<T>& row, int64_t columns) {
  along(row.units, [&](int64_t j, auto count) { put(row.carry + j, row.state(j, count), count); });
  std::fill_n(row.inner, columns, 0.0f);
  std::fill_n(row.dz, columns, T{});
  if (Cell::kInnerApart) std::fill_n(row.dinner, columns, T{});
}

template <class Cell, class T>
void sweep_back(Threads& threads, const Sequence& s, const Gradients<T>& g) {
  const int64_t units = s.units, columns = s.columns, first = first_columns<Cell>(s);
  const int64_t biases = Cell::kBiases * units;
  static thread_local Scratch packing, packing_second, summing;
  const RecurrentKernel kernel(threads, first, units, packing, g.kernel, 1, columns);
  const RecurrentKernel second(threads, columns - first, units, packing_second, g.kernel + first,
                               1, columns);

  const int64_t parts = parts_of(threads, s);
  float* const totals = summing.get(parts * biases);
  std::fill_n(totals, parts * biases, 0.0f);
  for_parts(threads, s, parts, [&](int64_t part, int64_t begin, int64_t rows) {
    static thread_local Scratch states, products, adding;
    const int64_t size = rows * units;
    float* const carry = states.get(6 * size);
    float *const back = carry + size, *const c = back + size, *const left = c + size;
    float *const scale = left + size, *const dscale = scale + size;
    float* const inner = products.get(rows * columns);
    float* const bias = adding.get(biases);
    const std::vector<int64_t> from = places(rows, columns), to = places(rows, units);
    std::fill_n(carry, 6 * size, 0.0f);
    if (!s.all) convert(g.output + begin * units, size, carry);
    if (Cell::kMemory) convert(g.last_c + begin * units, size, c);
    if (g.scale != nullptr) convert(g.scale + begin * units, size, scale);

    for (int64_t step = s.time - 1; step >= 0; --step) {
      const int64_t t = s.place(step);
      const auto row_at = [&](int64_t r) {
        const int64_t at = s.at(begin + r, t);
        return StepBack<T>{units,
                           g.gates + at * columns,
                           shifted(g.extra, at * units),
                           g.before + at * units,
                           s.all ? g.output + s.at(begin + r, step) * units : nullptr,
                           carry + r * units,
                           back + r * units,
                           c + r * units,
                           inner + r * columns,
                           g.dz + at * columns,
                           shifted(g.dinner, at * columns),
                           bias,
                           left + r * units};
      };
      std::fill_n(bias, biases, 0.0f);  // sums of sums: fewer digits are lost
      for (int64_t r = 0; r < rows; ++r)
        if (s.skips(begin + r, t))
          skip<Cell>(row_at(r), columns);
        else
          Cell::begin_back(row_at(r));
      if constexpr (Cell::kTwice) {
        second.multiply_rows({inner + first, from.data(), left, to.data(), rows});
        for (int64_t r = 0; r < rows; ++r)
          if (!s.skips(begin + r, t)) Cell::finish_back(row_at(r));
      }
      add(bias, biases, totals + part * biases);
      kernel.multiply_rows({inner, from.data(), back, to.data(), rows});
      if (Cell::kTwice) add(left, size, back);
      if (g.scale == nullptr) continue;
      for (int64_t r = 0; r < rows; ++r)
        add_products(back + r * units, g.before + s.at(begin + r, t) * units, units,
                     dscale + r * units);
      scale_by(scale, size, back);
    }
    add(back, size, carry);
    convert(carry, size, g.h + begin * units);
    if (Cell::kMemory) convert(c, size, g.c + begin * units);
    if (g.scale != nullptr) convert(dscale, size, g.dscale + begin * units);
  });
  for (int64_t part = 1; part < parts; ++part) add(totals + part * biases, biases, totals);
  convert(totals, biases, g.bias);
}

ffi::Error run(Threads threads, Array kernel, Array scale, Array mask, Array gates, Array extra,
               Array before, Array output, Array last_c, int64_t cell, int64_t reverse,
               int64_t all, Output dz, Output dinner, Output bias, Output h, Output c,
               Output dscale) {
  const Sequence s = sequence_of(gates, mask, before.dimensions()[2], reverse, all);
  return with_cell(gates.element_type(), cell, [&](auto type, auto chosen) {
    using T = decltype(type);
    sweep_back<decltype(chosen), T>(
        threads, s,
        {data<T>(kernel), present<T>(scale), data<T>(gates), data<T>(extra), data<T>(before),
         data<T>(output), data<T>(last_c), data<T>(dz), data<T>(dinner), data<T>(bias),
         data<T>(h), data<T>(c), data<T>(dscale)});
    return ffi::Error::Success();
  });
}

auto binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<int64_t>("cell")
      .Attr<int64_t>("reverse")
      .Attr<int64_t>("all")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(recurrent_gradient, run, binding());

}  // namespace
}  // namespace slipstream
