// The gradient of looking rows up in a table: rows added where they came from.

#include <cstring>
#include <type_traits>

#include "handler.h"

namespace slipstream {
namespace {

template <class T>
void add_rows(Threads& threads, const int32_t* indices, int64_t count, const T* rows, int64_t table,
              int64_t width, T* sums) {
  // Each range of the table is one thread's, which goes through the indices in order: results
  // repeat. Sums of a narrow type are taken in floats, and rounded once.
  parallel_ranges(threads, table, 65536 / width + 1, [&](int64_t begin, int64_t end) {
    static thread_local Scratch scratch;
    const int64_t size = (end - begin) * width;
    float* wide;
    if constexpr (std::is_same_v<T, float>)
      wide = sums + begin * width;
    else
      wide = scratch.get(size);
    std::memset(wide, 0, size * sizeof(float));
    for (int64_t i = 0; i < count; ++i) {
      int64_t index = indices[i];
      if (index < 0) index += table;
      if (index < begin || index >= end) continue;
      float* const to = wide + (index - begin) * width;
      const T* const from = rows + i * width;
      int64_t j = 0;
      for (; j + kLanes <= width; j += kLanes)
        store(to + j, load<Wide>(to + j) + load<Wide>(from + j));
      for (; j < width; ++j) to[j] += to_float(from[j]);
    }
    if constexpr (!std::is_same_v<T, float>)
      for (int64_t j = 0; j < size; ++j) sums[begin * width + j] = from_float<T>(wide[j]);
  });
}

ffi::Error run(Threads threads, Array indices, Array rows, Output sums) {
  return with_storage(rows.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const int64_t table = sums->dimensions()[0], width = sums->dimensions()[1];
    add_rows(threads, data<int32_t>(indices), static_cast<int64_t>(indices.element_count()),
             data<T>(rows), table, width, data<T>(sums));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(add_rows, run,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
