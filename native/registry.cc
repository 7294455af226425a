// The list of all operations in this library, for the Python side to hand to XLA.

#include <vector>

#include "handler.h"

namespace slipstream {
namespace {

std::vector<Target>& targets() {
  static std::vector<Target> list;
  return list;
}

}  // namespace

Registration::Registration(const char* name, XLA_FFI_Handler* handler) {
  targets().push_back({name, handler});
}

}  // namespace slipstream

extern "C" __attribute__((visibility("default"))) const slipstream::Target* slipstream_targets(
    int64_t* count) {
  *count = static_cast<int64_t>(slipstream::targets().size());
  return slipstream::targets().data();
}
