// Matrices that lie one after the other, transposed.

#include <algorithm>

#include "handler.h"
#include "packing.h"

namespace slipstream {
namespace {

constexpr int64_t kLine = 16;        // floats of a cache line
constexpr int64_t kWorth = 1 << 14;  // numbers that are worth a thread

// A task has some columns of one matrix, whole cache lines of them.
ffi::Error run(Threads threads, Array x, Output y) {
  const int64_t count = x.dimensions()[0], rows = x.dimensions()[1], columns = x.dimensions()[2];
  const int64_t lines = (columns + kLine - 1) / kLine;
  const float* const from = data<float>(x);
  float* const to = data<float>(y);
  parallel_ranges(threads, count * lines, kWorth / (rows * kLine) + 1,
                  [&](int64_t begin, int64_t end) {
                    while (begin < end) {
                      const int64_t matrix = begin / lines, line = begin % lines;
                      const int64_t some = std::min(end - begin, lines - line);
                      const int64_t first = line * kLine, base = matrix * rows * columns;
                      pack_turned(from + base + first, columns, rows,
                                  std::min(some * kLine, columns - first),
                                  to + base + first * rows, rows);
                      begin += some;
                    }
                  });
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(transpose, run,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
