// Up to three axes of places, and a window's places on one of them.
#pragma once

#include <array>
#include <cstdint>

namespace slipstream {

constexpr int kAxes = 3;
using Sizes = std::array<int64_t, kAxes>;

inline int64_t volume(const Sizes& sizes) { return sizes[0] * sizes[1] * sizes[2]; }

struct Tap {
  int64_t offset;  // where in the source
  int64_t index;   // which of the window
};

}  // namespace slipstream
