// Up to three axes of places, a window's places on one of them, and the arguments that tell of both.
#pragma once

#include <array>
#include <cstdint>

#include "handler.h"

namespace slipstream {

constexpr int kAxes = 3;
using Sizes = std::array<int64_t, kAxes>;

inline int64_t volume(const Sizes& sizes) { return sizes[0] * sizes[1] * sizes[2]; }

struct Tap {
  int64_t offset;  // where in the source
  int64_t index;   // which of the window
};

// Two arrays and how windows lie, as convolutions are told of them.
inline auto windowed() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<Numbers>("stride")
      .Attr<Numbers>("dilation")
      .Attr<Numbers>("low")
      .Attr<int64_t>("groups")
      .Ret<Array>();
}

// The same with what is done to sums: a scale, a bias, and how large results may be (finish.h).
inline auto windowed_and_finished() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<Numbers>("stride")
      .Attr<Numbers>("dilation")
      .Attr<Numbers>("low")
      .Attr<int64_t>("groups")
      .Attr<float>("top")
      .Ret<Array>();
}

}  // namespace slipstream
