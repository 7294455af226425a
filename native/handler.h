// How an operation becomes visible to XLA.
#pragma once

#include <cstdint>
#include <string>

#include "parallel.h"
#include "vector.h"
#include "xla/ffi/api/ffi.h"

namespace slipstream {

namespace ffi = xla::ffi;
using Array = ffi::AnyBuffer;
using Output = ffi::Result<ffi::AnyBuffer>;
using Numbers = ffi::Span<const int64_t>;

template <class T, class Buffer>
T* data(Buffer& buffer) {
  return static_cast<T*>(buffer.untyped_data());
}
template <class T>
T* data(Output& buffer) {
  return static_cast<T*>(buffer->untyped_data());
}

inline ffi::Error refuse(const std::string& why) {
  return ffi::Error(ffi::ErrorCode::kInvalidArgument, "slipstream: " + why);
}

// Calls body(T{}) with the type that floats are stored in.
template <class Body>
ffi::Error with_storage(ffi::DataType type, const Body& body) {
  if (type == ffi::DataType::F32) return body(float{});
  if (type == ffi::DataType::BF16) return body(BFloat16{});
  return refuse("floats of this width have no compiled form");
}

// An operation's name and entry point, as `slipstream_targets` lists them.
struct Target {
  const char* name;
  XLA_FFI_Handler* handler;
};

struct Registration {
  Registration(const char* name, XLA_FFI_Handler* handler);
};

}  // namespace slipstream

// Lists `function` under `name`; `binding` says its context, arguments, results and attributes.
#define SLIPSTREAM_HANDLER(name, function, binding)              \
  static XLA_FFI_Error* name(XLA_FFI_CallFrame* frame) {         \
    static auto* const handler = binding.To(function).release(); \
    return handler->Call(frame);                                 \
  }                                                              \
  static const ::slipstream::Registration name##_registration("slipstream_" #name, &name)
