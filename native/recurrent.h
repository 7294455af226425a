// What a recurrence over whole sequences has in common with its gradient.
//
// A part of the batch goes through all steps on one thread, its states in the cache and the
// recurrent kernel packed once. A step is one product of the part's states with that kernel, and
// one pass for what the gates do with it. The products of the inputs with their kernel come before
// all steps and are no business of these files, nor is the gradient of the kernels, a product too.
//
// Arrays over steps are (batch, time, ...). Outputs lie in the order of the steps, all else in
// that of the inputs, which `reverse` goes through from the end.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "convert.h"
#include "handler.h"
#include "recurrent_cells.h"
#include "recurrent_product.h"

namespace slipstream {

struct Sequence {
  int64_t batch, time, units, columns;  // columns: of the gates, side by side
  bool reverse, all;                    // all: there is an output at each step, not one at the end
  const bool* mask;                     // null where there is none

  int64_t place(int64_t step) const { return reverse ? time - 1 - step : step; }
  int64_t at(int64_t row, int64_t t) const { return row * time + t; }
  bool skips(int64_t row, int64_t t) const { return mask != nullptr && !mask[at(row, t)]; }
};

// Null where an array stands for one that is not there.
template <class T>
T* present(Array& array) {
  return array.element_count() == 0 ? nullptr : data<T>(array);
}

inline Sequence sequence_of(Array& like, Array& mask, int64_t units, bool reverse, bool all) {
  const auto shape = like.dimensions();
  return {shape[0], shape[1], units, shape[2], reverse, all, present<bool>(mask)};
}

// Columns of a step's first product with the kernel.
template <class Cell>
int64_t first_columns(const Sequence& s) {
  return Cell::kTwice ? 2 * s.units : s.columns;
}

// Parts of the batch, whose rows one thread takes through all steps: some tiles, few enough for
// its cache.
inline int64_t parts_of(Threads& threads, const Sequence& s) {
  constexpr int64_t rows = 4 * kTileRows<2>;
  const int64_t needed = (s.batch + rows - 1) / rows;
  if (s.batch * s.time * (s.units + 16) * s.columns < (1 << 20)) return needed;
  const int64_t count = thread_count(threads);
  return std::min(s.batch, (needed + count - 1) / count * count);
}

// Calls body(part, first row, rows) for each.
template <class Body>
void for_parts(Threads& threads, const Sequence& s, int64_t parts, const Body& body) {
  parallel_for(threads, parts, [&](int64_t part) {
    const int64_t begin = part * s.batch / parts;
    body(part, begin, (part + 1) * s.batch / parts - begin);
  });
}

// Where rows of `stride` numbers begin.
inline std::vector<int64_t> places(int64_t rows, int64_t stride) {
  std::vector<int64_t> found(rows);
  for (int64_t r = 0; r < rows; ++r) found[r] = r * stride;
  return found;
}

template <class T>
T* shifted(T* array, int64_t by) {
  return array == nullptr ? nullptr : array + by;
}

__attribute__((noinline)) inline void scale_by(const float* factors, int64_t length, float* to) {
  along(length, [&](int64_t j, auto count) {
    put(to + j, take(to + j, count) * take(factors + j, count), count);
  });
}

}  // namespace slipstream
