// Numbers stored anew, as the same type or another.
#pragma once

#include "rows.h"

namespace slipstream {

template <class From, class To>
__attribute__((noinline)) void convert(const From* from, int64_t count, To* to) {
  along(count, [&](int64_t j, auto some) { put(to + j, take(from + j, some), some); });
}

}  // namespace slipstream
