// What a recurrent cell does with the products of one step, and the gradient of that.
//
// A cell says how many runs of biases it has (kBiases), and whether it has a memory `c` (kMemory),
// its state's products have gradients other than the inputs' (kInnerApart), and a step takes two
// products with the kernel (kTwice), the second between `begin` and `finish`.
#pragma once

#include <cstdint>
#include <string>

#include "handler.h"
#include "recurrent_gates.h"
#include "rows.h"

namespace slipstream {

// One row at one step. `gates` is null where nothing is saved.
template <class T>
struct Step {
  int64_t units;
  const T* z;    // what the inputs give: a run of units for each gate
  float* inner;  // what the state gives, likewise
  const float* bias;
  float* h;
  float* c;
  T* gates;
  T* extra;
  float* left;  // the state that meets the kernel

  template <class Count>
  SLIPSTREAM_INLINE Wide sum(int64_t j, Count count) const {
    return take(z + j, count) + take(inner + j, count) + take(bias + j, count);
  }
};

// The gradient of one row at one step. That of the state is `carry` + `back`, the part that came
// through products of later steps; a cell leaves in `carry` what passes it without a product.
template <class T>
struct StepBack {
  int64_t units;
  const T* gates;
  const T* extra;
  const T* before;  // the state before the step
  const T* output;  // gradient of the step's output, or null
  float* carry;
  float* back;
  float* c;
  float* inner;  // to find: the gradient of what the state gives
  T* dz;         // to find: of what the inputs give
  T* dinner;     // to find: `inner` again, where that is not dz
  float* bias;   // added to
  float* left;   // gradient of the state behind a reset gate

  template <class Count>
  SLIPSTREAM_INLINE Wide state(int64_t j, Count count) const {
    const Wide dh = take(carry + j, count) + take(back + j, count);
    return output == nullptr ? dh : dh + take(output + j, count);
  }
  template <class Count>
  SLIPSTREAM_INLINE void add_bias(int64_t j, Wide value, Count count) const {
    put(bias + j, take(bias + j, count) + value, count);
  }
  template <class Count>
  SLIPSTREAM_INLINE void give(int64_t j, Wide value, Count count) const {
    put(dz + j, value, count);
    put(inner + j, value, count);
    add_bias(j, value, count);
  }
};

// Input, forget, cell and output gate. `extra` is the memory before the step.
struct Lstm {
  static constexpr int kBiases = 4;
  static constexpr bool kMemory = true, kInnerApart = false, kTwice = false;

  template <class T>
  static void finish(const Step<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide i = gate(s.sum(j, count)), f = gate(s.sum(n + j, count));
      const Wide g = tangent(s.sum(2 * n + j, count)), o = gate(s.sum(3 * n + j, count));
      const Wide c = take(s.c + j, count), next = f * c + i * g;
      put(s.c + j, next, count);
      put(s.h + j, o * tangent(next), count);
      if (s.gates == nullptr) return;
      put(s.extra + j, c, count);
      put(s.gates + j, i, count);
      put(s.gates + n + j, f, count);
      put(s.gates + 2 * n + j, g, count);
      put(s.gates + 3 * n + j, o, count);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide i = take(s.gates + j, count), f = take(s.gates + n + j, count);
      const Wide g = take(s.gates + 2 * n + j, count), o = take(s.gates + 3 * n + j, count);
      const Wide c = take(s.extra + j, count), read = tangent(f * c + i * g);
      const Wide dh = s.state(j, count);
      const Wide dc = take(s.c + j, count) + before_tangent(dh * o, read);
      s.give(j, before_gate(dc * g, i), count);
      s.give(n + j, before_gate(dc * c, f), count);
      s.give(2 * n + j, before_tangent(dc * i, g), count);
      s.give(3 * n + j, before_gate(dh * read, o), count);
      put(s.c + j, dc * f, count);
      put(s.carry + j, Wide{}, count);
    });
  }
};

// Update gate, reset gate and candidate; the reset gate works on the candidate's product, which
// has a bias of its own, the fourth, and is `extra`.
struct Gru {
  static constexpr int kBiases = 4;
  static constexpr bool kMemory = false, kInnerApart = true, kTwice = false;

  template <class T>
  static void finish(const Step<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide u = gate(s.sum(j, count)), r = gate(s.sum(n + j, count));
      const Wide inner = take(s.inner + 2 * n + j, count) + take(s.bias + 3 * n + j, count);
      const Wide outer = take(s.z + 2 * n + j, count) + take(s.bias + 2 * n + j, count);
      const Wide candidate = tangent(outer + r * inner);
      put(s.h + j, candidate + u * (take(s.h + j, count) - candidate), count);
      if (s.gates == nullptr) return;
      put(s.extra + j, inner, count);
      put(s.gates + j, u, count);
      put(s.gates + n + j, r, count);
      put(s.gates + 2 * n + j, candidate, count);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide u = take(s.gates + j, count), r = take(s.gates + n + j, count);
      const Wide candidate = take(s.gates + 2 * n + j, count), inner = take(s.extra + j, count);
      const Wide dh = s.state(j, count), through = before_tangent(dh * (1.0f - u), candidate);
      const Wide du = before_gate(dh * (take(s.before + j, count) - candidate), u);
      const Wide dr = before_gate(through * inner, r);
      s.give(j, du, count);
      s.give(n + j, dr, count);
      put(s.dz + 2 * n + j, through, count);
      put(s.inner + 2 * n + j, through * r, count);
      s.add_bias(2 * n + j, through, count);
      s.add_bias(3 * n + j, through * r, count);
      put(s.dinner + j, du, count);
      put(s.dinner + n + j, dr, count);
      put(s.dinner + 2 * n + j, through * r, count);
      put(s.carry + j, dh * u, count);
    });
  }
};

// The same with a reset gate that works on the state: two products, the second with `extra`.
struct GruResetFirst {
  static constexpr int kBiases = 3;
  static constexpr bool kMemory = false, kInnerApart = false, kTwice = true;

  template <class T>
  static void begin(const Step<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide u = gate(s.sum(j, count)), r = gate(s.sum(n + j, count));
      const Wide left = r * take(s.left + j, count);
      put(s.left + j, left, count);
      put(s.inner + j, u, count);
      if (s.gates == nullptr) return;
      put(s.extra + j, left, count);
      put(s.gates + j, u, count);
      put(s.gates + n + j, r, count);
    });
  }

  template <class T>
  static void finish(const Step<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide u = take(s.inner + j, count);
      const Wide candidate = tangent(s.sum(2 * n + j, count));
      put(s.h + j, candidate + u * (take(s.h + j, count) - candidate), count);
      if (s.gates != nullptr) put(s.gates + 2 * n + j, candidate, count);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide u = take(s.gates + j, count), candidate = take(s.gates + 2 * n + j, count);
      const Wide dh = s.state(j, count);
      s.give(2 * n + j, before_tangent(dh * (1.0f - u), candidate), count);
      s.give(j, before_gate(dh * (take(s.before + j, count) - candidate), u), count);
      put(s.carry + j, dh * u, count);
    });
  }

  template <class T>
  static void finish_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    along(n, [&](int64_t j, auto count) {
      const Wide r = take(s.gates + n + j, count), left = take(s.left + j, count);
      s.give(n + j, left * take(s.extra + j, count) * (1.0f - r), count);
      put(s.left + j, left * r, count);
    });
  }
};

struct Tangent {
  static SLIPSTREAM_INLINE Wide value(Wide x) { return tangent(x); }
  static SLIPSTREAM_INLINE Wide before(Wide gradient, Wide y) {
    return before_tangent(gradient, y);
  }
};

struct Rectifier {
  static SLIPSTREAM_INLINE Wide value(Wide x) { return maximum(x, Wide{}); }
  static SLIPSTREAM_INLINE Wide before(Wide gradient, Wide y) {
    return gradient * (y > 0.0f ? splat<Wide>(1.0f) : Wide{});
  }
};

template <class Activation>
struct Simple {
  static constexpr int kBiases = 1;
  static constexpr bool kMemory = false, kInnerApart = false, kTwice = false;

  template <class T>
  static void finish(const Step<T>& s) {
    along(s.units, [&](int64_t j, auto count) {
      const Wide h = Activation::value(s.sum(j, count));
      put(s.h + j, h, count);
      if (s.gates != nullptr) put(s.gates + j, h, count);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    along(s.units, [&](int64_t j, auto count) {
      s.give(j, Activation::before(s.state(j, count), take(s.gates + j, count)), count);
      put(s.carry + j, Wide{}, count);
    });
  }
};

// Calls body(T{}, Cell{}) with the type that floats are stored in and the cell of this number in
// `CELLS` of kernels/cells.py.
template <class Body>
ffi::Error with_cell(ffi::DataType type, int64_t cell, const Body& body) {
  return with_storage(type, [&](auto number) {
    if (cell == 0) return body(number, Lstm{});
    if (cell == 1) return body(number, Gru{});
    if (cell == 2) return body(number, GruResetFirst{});
    if (cell == 3) return body(number, Simple<Tangent>{});
    if (cell == 4) return body(number, Simple<Rectifier>{});
    return refuse("there is no recurrent cell " + std::to_string(cell));
  });
}

}  // namespace slipstream
