// Arrays put side by side, row by row, and taken apart again.

#include <cstring>
#include <vector>

#include "handler.h"

namespace slipstream {
namespace {

// One of the arrays: where its rows begin, and their length in bytes.
struct Part {
  char* begin;
  int64_t bytes;
};

template <int64_t SIZE>
SLIPSTREAM_INLINE void move(char* to, const char* from) {
  char block[SIZE];
  std::memcpy(block, from, SIZE);
  std::memcpy(to, block, SIZE);
}

// Copies in blocks, the last of which may overlap the one before. Rows are short: calling memcpy
// takes as long as copying.
template <int64_t SIZE>
SLIPSTREAM_INLINE void copy(char* to, const char* from, int64_t bytes) {
  if (bytes >= SIZE) {
    int64_t i = 0;
    for (; i + SIZE <= bytes; i += SIZE) move<SIZE>(to + i, from + i);
    if (i < bytes) move<SIZE>(to + bytes - SIZE, from + bytes - SIZE);
  } else if constexpr (SIZE > 1) {
    copy<SIZE / 4>(to, from, bytes);
  }
}

// Rows of the parts follow each other in `whole`, which is read or, if `JOIN`, written.
template <bool JOIN>
void exchange(Threads& threads, const std::vector<Part>& parts, int64_t rows, char* whole) {
  int64_t width = 0;
  for (const Part& part : parts) width += part.bytes;
  parallel_ranges(threads, rows, 131072 / (width + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      char* at = whole + i * width;
      for (const Part& part : parts) {
        char* const row = part.begin + i * part.bytes;
        JOIN ? copy<64>(at, row, part.bytes) : copy<64>(row, at, part.bytes);
        at += part.bytes;
      }
    }
  });
}

Part part_of(void* data, size_t bytes, int64_t rows) {
  return {static_cast<char*>(data), static_cast<int64_t>(bytes) / rows};
}

ffi::Error run_join(Threads threads, int64_t rows, ffi::RemainingArgs arrays, Output whole) {
  std::vector<Part> parts;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const auto array = arrays.get<Array>(i);
    if (!array) return array.error();
    parts.push_back(part_of(array->untyped_data(), array->size_bytes(), rows));
  }
  exchange<true>(threads, parts, rows, data<char>(whole));
  return ffi::Error::Success();
}

ffi::Error run_take_apart(Threads threads, int64_t rows, Array whole, ffi::RemainingRets arrays) {
  std::vector<Part> parts;
  for (size_t i = 0; i < arrays.size(); ++i) {
    auto array = arrays.get<Array>(i);
    if (!array) return array.error();
    parts.push_back(part_of((*array)->untyped_data(), (*array)->size_bytes(), rows));
  }
  exchange<false>(threads, parts, rows, data<char>(whole));
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(
    join, run_join,
    ffi::Ffi::Bind().Ctx<Threads>().Attr<int64_t>("rows").RemainingArgs().Ret<Array>());
SLIPSTREAM_HANDLER(
    take_apart, run_take_apart,
    ffi::Ffi::Bind().Ctx<Threads>().Attr<int64_t>("rows").Arg<Array>().RemainingRets());

}  // namespace
}  // namespace slipstream
