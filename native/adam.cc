// One step of Adam (Kingma & Ba 2014): each number is read once and written once.

#include <cmath>

#include "handler.h"
#include "rows.h"

namespace slipstream {
namespace {

SLIPSTREAM_INLINE Wide square_root(Wide v) {
  for (int i = 0; i < kLanes; ++i) v[i] = std::sqrt(v[i]);
  return v;
}

// The results may lie where the operands do.
ffi::Error run(Threads threads, float share_1, float share_2, float epsilon, Array weight,
               Array gradient, Array momentum, Array velocity, Array rate, Output new_weight,
               Output new_momentum, Output new_velocity) {
  const float *w = data<float>(weight), *g = data<float>(gradient), *m = data<float>(momentum),
              *v = data<float>(velocity), by = *data<float>(rate);
  float *to_w = data<float>(new_weight), *to_m = data<float>(new_momentum),
        *to_v = data<float>(new_velocity);
  parallel_ranges(threads, weight.element_count(), 16384, [&](int64_t begin, int64_t end) {
    along(end - begin, [&](int64_t j, auto some) {
      const int64_t i = begin + j;
      const Wide slope = take(g + i, some);
      Wide first = take(m + i, some), second = take(v + i, some);
      first += (slope - first) * share_1;
      second += (slope * slope - second) * share_2;
      put(to_m + i, first, some);
      put(to_v + i, second, some);
      put(to_w + i, take(w + i, some) - first * by / (square_root(second) + epsilon), some);
    });
  });
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(adam, run,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<float>("share_1")
                       .Attr<float>("share_2")
                       .Attr<float>("epsilon")
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Ret<Array>()
                       .Ret<Array>()
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
