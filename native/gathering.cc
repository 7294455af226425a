// Rows of a table, picked by their numbers.

#include <cstring>

#include "handler.h"

namespace slipstream {
namespace {

// NaN where there is one: what a row that is not in the table is filled with.
void fill(ffi::DataType type, void* to, size_t bytes) {
  std::memset(to, 0, bytes);
  const auto with = [&](auto value) {
    for (size_t i = 0; i < bytes / sizeof value; ++i)
      std::memcpy(static_cast<char*>(to) + i * sizeof value, &value, sizeof value);
  };
  if (type == ffi::DataType::F32) with(uint32_t{0x7fc00000});
  if (type == ffi::DataType::BF16) with(uint16_t{0x7fc0});
}

// Numbers below 0 count from the table's end.
ffi::Error run(Threads threads, Array table, Array places, Output y) {
  const auto type = table.element_type();
  const int64_t rows = table.dimensions()[0];
  const int64_t count = static_cast<int64_t>(places.element_count());
  const size_t bytes = ffi::ByteWidth(type) * y->element_count() / count;
  const char* const from = data<char>(table);
  const int32_t* const wanted = data<int32_t>(places);
  char* const to = data<char>(y);
  parallel_ranges(threads, count, 65536 / bytes + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t place = wanted[i] < 0 ? wanted[i] + rows : wanted[i];
      if (place >= 0 && place < rows)
        std::memcpy(to + i * bytes, from + place * bytes, bytes);
      else
        fill(type, to + i * bytes, bytes);
    }
  });
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(take_rows, run,
                   ffi::Ffi::Bind().Ctx<Threads>().Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
