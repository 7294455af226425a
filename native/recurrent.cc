// A recurrent cell's way through all steps of sequences.

#include <algorithm>
#include <vector>

#include "recurrent.h"

namespace slipstream {
namespace {

// Arrays that are not there are null; those after `last_c` are kept for the gradient.
template <class T>
struct Arrays {
  const T *z, *bias, *kernel, *h, *c, *scale;
  T *output, *last_c, *gates = nullptr, *extra = nullptr, *before = nullptr;
};

template <class Cell, class T>
void sweep(Threads& threads, const Sequence& s, const Arrays<T>& a) {
  const int64_t units = s.units, columns = s.columns, first = first_columns<Cell>(s);
  static thread_local Scratch packing, packing_second, biasing;
  const RecurrentKernel kernel(threads, units, first, packing, a.kernel, columns, 1);
  const RecurrentKernel second(threads, units, columns - first, packing_second, a.kernel + first,
                               columns, 1);
  float* const bias = biasing.get(Cell::kBiases * units);
  convert(a.bias, Cell::kBiases * units, bias);

  for_parts(threads, s, parts_of(threads, s), [&](int64_t, int64_t begin, int64_t rows) {
    static thread_local Scratch states, products;
    const int64_t size = rows * units;
    float* const h = states.get(4 * size);
    float *const c = h + size, *const left = c + size, *const scale = left + size;
    float* const inner = products.get(rows * columns);
    const std::vector<int64_t> from = places(rows, units), to = places(rows, columns);
    convert(a.h + begin * units, size, h);
    if (Cell::kMemory) convert(a.c + begin * units, size, c);
    if (a.scale != nullptr) convert(a.scale + begin * units, size, scale);
    float* const source = Cell::kTwice || a.scale != nullptr ? left : h;

    for (int64_t step = 0; step < s.time; ++step) {
      const int64_t t = s.place(step);
      if (source != h) std::copy_n(h, size, left);
      if (a.scale != nullptr) scale_by(scale, size, left);
      const auto row_at = [&](int64_t r) {
        const int64_t at = s.at(begin + r, t);
        return Step<T>{units,
                       a.z + at * columns,
                       inner + r * columns,
                       bias,
                       h + r * units,
                       c + r * units,
                       shifted(a.gates, at * columns),
                       shifted(a.extra, at * units),
                       left + r * units};
      };
      kernel.multiply_rows({source, from.data(), inner, to.data(), rows});
      if constexpr (Cell::kTwice) {
        for (int64_t r = 0; r < rows; ++r) {
          const Step<T> row = row_at(r);
          if (!s.skips(begin + r, t))
            Cell::begin(row);
          else if (row.extra != nullptr)
            std::fill_n(row.extra, units, T{});  // it meets a zero in a product
        }
        second.multiply_rows({left, from.data(), inner + first, to.data(), rows});
      }
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t row = begin + r;
        if (a.before != nullptr) convert(h + r * units, units, a.before + s.at(row, t) * units);
        if (!s.skips(row, t)) Cell::finish(row_at(r));
        if (s.all) convert(h + r * units, units, a.output + s.at(row, step) * units);
      }
    }
    if (!s.all) convert(h, size, a.output + begin * units);
    if (Cell::kMemory) convert(c, size, a.last_c + begin * units);
  });
}

// Saved: nothing, or the gates, what else a cell needs, and the states before each step.
template <class... Saved>
ffi::Error run(Threads threads, Array z, Array bias, Array kernel, Array h, Array c, Array scale,
               Array mask, int64_t cell, int64_t reverse, int64_t all, Output output,
               Output last_c, Saved... saved) {
  const Sequence s = sequence_of(z, mask, h.dimensions()[1], reverse, all);
  return with_cell(z.element_type(), cell, [&](auto type, auto chosen) {
    using T = decltype(type);
    sweep<decltype(chosen), T>(threads, s,
                               {data<T>(z), data<T>(bias), data<T>(kernel), data<T>(h),
                                data<T>(c), present<T>(scale), data<T>(output), data<T>(last_c),
                                data<T>(saved)...});
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
      .Attr<int64_t>("cell")
      .Attr<int64_t>("reverse")
      .Attr<int64_t>("all")
      .Ret<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(recurrent, run<>, binding());
SLIPSTREAM_HANDLER(recurrent_saving, (run<Output, Output, Output>),
                   binding().Ret<Array>().Ret<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
