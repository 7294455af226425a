// Recurrences over whole sequences, but for the product of the inputs with their kernel.
//
// A part of the batch goes through all steps on one thread, its states in the cache and the
// recurrent kernel packed once. A step is one product of the part's states with that kernel, and
// one pass for what the gates do with it. The sweep back gives the gradient of the gates' inputs;
// the kernel's own is a product over all steps, and no business of this file.
//
// Arrays over steps are (batch, time, ...). Outputs lie in the order of the steps, all else in
// that of the inputs, which `reverse` goes through from the end.

#include <algorithm>
#include <cstring>
#include <vector>

#include "handler.h"
#include "tile.h"

namespace slipstream {
namespace {

// How a loop over units touches memory: whole vectors, then what is left.
struct Whole {
  template <class T>
  SLIPSTREAM_INLINE Wide get(const T* from) const {
    return load<Wide>(from);
  }
  template <class T>
  SLIPSTREAM_INLINE void put(T* to, Wide v) const {
    store(to, v);
  }
};

struct Rest {
  int64_t count;
  template <class T>
  SLIPSTREAM_INLINE Wide get(const T* from) const {
    T lanes[kLanes] = {};
    std::memcpy(lanes, from, count * sizeof(T));
    return load<Wide>(lanes);
  }
  template <class T>
  SLIPSTREAM_INLINE void put(T* to, Wide v) const {
    T lanes[kLanes];
    store(lanes, v);
    std::memcpy(to, lanes, count * sizeof(T));
  }
};

template <class Body>
SLIPSTREAM_INLINE void for_units(int64_t count, const Body& body) {
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) body(Whole{}, j);
  if (j < count) body(Rest{count - j}, j);
}

template <class From, class To>
__attribute__((noinline)) void convert(const From* from, int64_t count, To* to) {
  for_units(count, [&](auto at, int64_t j) { at.put(to + j, at.get(from + j)); });
}

__attribute__((noinline)) void add(const float* from, int64_t count, float* to) {
  for_units(count, [&](auto at, int64_t j) { at.put(to + j, at.get(to + j) + at.get(from + j)); });
}

__attribute__((noinline)) void scale_by(const float* factors, int64_t count, float* to) {
  for_units(count,
            [&](auto at, int64_t j) { at.put(to + j, at.get(to + j) * at.get(factors + j)); });
}

// e^x - 1 to about 3 units in the last place, x bounded to where 2^(x / ln 2) is a float: 2^n - 1
// and 2^n times a polynomial for the rest, as in `exponential`. No difference of nearly equal
// numbers is left, so tanh needs no second form near 0. NaN stays NaN.
SLIPSTREAM_INLINE Wide exponential_less_one(Wide x) {
  typedef typename VectorOf<kLanes>::Bits Bits;
  const Wide low = splat<Wide>(-87.0f), high = splat<Wide>(87.0f);
  x = high < x ? high : x;
  x = low > x ? low : x;
  const Wide magic = splat<Wide>(12582912.0f + 127.0f);  // leaves n + 127 in the lowest bits
  const Wide shifted = x * 1.44269504f + magic, whole = shifted - magic;
  const Wide rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Wide y = rest * 1.9875691500e-4f + 1.3981999507e-3f;
  y = y * rest + 8.3334519073e-3f;
  y = y * rest + 4.1665795894e-2f;
  y = y * rest + 1.6666665459e-1f;
  y = y * rest + 5.0000001201e-1f;
  y = y * (rest * rest) + rest;
  Bits bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits <<= 23;
  Wide power;
  std::memcpy(&power, &bits, sizeof power);
  return y * power + (power - 1.0f);
}

SLIPSTREAM_INLINE Wide gate(Wide x) { return 1.0f / (2.0f + exponential_less_one(-x)); }

SLIPSTREAM_INLINE Wide tangent(Wide x) {
  const Wide grown = exponential_less_one(x + x);
  return grown / (grown + 2.0f);
}

// ---- cells: what the gates do ----------------------------------------------------------------

// One row at one step. `gates` is null where nothing is saved.
template <class T>
struct Step {
  int64_t units;
  const T* z;  // what the inputs give: a run of units for each gate
  float* inner;  // what the state gives, likewise
  const float* bias;
  float* h;
  float* c;
  T* gates;
  T* extra;
  float* left;  // the state that meets the kernel

  template <class At>
  SLIPSTREAM_INLINE Wide sum(At at, int64_t j) const {
    return at.get(z + j) + at.get(inner + j) + at.get(bias + j);
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

  template <class At>
  SLIPSTREAM_INLINE Wide state(At at, int64_t j) const {
    const Wide dh = at.get(carry + j) + at.get(back + j);
    return output == nullptr ? dh : dh + at.get(output + j);
  }
  template <class At>
  SLIPSTREAM_INLINE void add_bias(At at, int64_t j, Wide value) const {
    at.put(bias + j, at.get(bias + j) + value);
  }
  template <class At>
  SLIPSTREAM_INLINE void give(At at, int64_t j, Wide value) const {
    at.put(dz + j, value);
    at.put(inner + j, value);
    add_bias(at, j, value);
  }
};

// Input, forget, cell and output gate. `extra` is the memory before the step.
struct Lstm {
  static constexpr int kGates = 4, kBiases = 4;
  static constexpr bool kMemory = true, kExtra = true, kInnerApart = false, kTwice = false;

  template <class T>
  static void finish(const Step<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide i = gate(s.sum(at, j)), f = gate(s.sum(at, n + j));
      const Wide g = tangent(s.sum(at, 2 * n + j)), o = gate(s.sum(at, 3 * n + j));
      const Wide c = at.get(s.c + j), next = f * c + i * g;
      at.put(s.c + j, next);
      at.put(s.h + j, o * tangent(next));
      if (s.gates == nullptr) return;
      at.put(s.extra + j, c);
      at.put(s.gates + j, i);
      at.put(s.gates + n + j, f);
      at.put(s.gates + 2 * n + j, g);
      at.put(s.gates + 3 * n + j, o);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide i = at.get(s.gates + j), f = at.get(s.gates + n + j);
      const Wide g = at.get(s.gates + 2 * n + j), o = at.get(s.gates + 3 * n + j);
      const Wide c = at.get(s.extra + j), read = tangent(f * c + i * g);
      const Wide dh = s.state(at, j);
      const Wide dc = at.get(s.c + j) + dh * o * (1.0f - read * read);
      s.give(at, j, dc * g * i * (1.0f - i));
      s.give(at, n + j, dc * c * f * (1.0f - f));
      s.give(at, 2 * n + j, dc * i * (1.0f - g * g));
      s.give(at, 3 * n + j, dh * read * o * (1.0f - o));
      at.put(s.c + j, dc * f);
      at.put(s.carry + j, Wide{});
    });
  }
};

// Update gate, reset gate and candidate; the reset gate works on the candidate's product, which
// has a bias of its own, the fourth, and is `extra`.
struct Gru {
  static constexpr int kGates = 3, kBiases = 4;
  static constexpr bool kMemory = false, kExtra = true, kInnerApart = true, kTwice = false;

  template <class T>
  static void finish(const Step<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide u = gate(s.sum(at, j)), r = gate(s.sum(at, n + j));
      const Wide inner = at.get(s.inner + 2 * n + j) + at.get(s.bias + 3 * n + j);
      const Wide outer = at.get(s.z + 2 * n + j) + at.get(s.bias + 2 * n + j);
      const Wide candidate = tangent(outer + r * inner);
      at.put(s.h + j, candidate + u * (at.get(s.h + j) - candidate));
      if (s.gates == nullptr) return;
      at.put(s.extra + j, inner);
      at.put(s.gates + j, u);
      at.put(s.gates + n + j, r);
      at.put(s.gates + 2 * n + j, candidate);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide u = at.get(s.gates + j), r = at.get(s.gates + n + j);
      const Wide candidate = at.get(s.gates + 2 * n + j), inner = at.get(s.extra + j);
      const Wide dh = s.state(at, j), through = dh * (1.0f - u) * (1.0f - candidate * candidate);
      const Wide du = dh * (at.get(s.before + j) - candidate) * u * (1.0f - u);
      const Wide dr = through * inner * r * (1.0f - r);
      s.give(at, j, du);
      s.give(at, n + j, dr);
      at.put(s.dz + 2 * n + j, through);
      at.put(s.inner + 2 * n + j, through * r);
      s.add_bias(at, 2 * n + j, through);
      s.add_bias(at, 3 * n + j, through * r);
      at.put(s.dinner + j, du);
      at.put(s.dinner + n + j, dr);
      at.put(s.dinner + 2 * n + j, through * r);
      at.put(s.carry + j, dh * u);
    });
  }
};

// The same with a reset gate that works on the state: two products, the second with `extra`.
struct GruResetFirst {
  static constexpr int kGates = 3, kBiases = 3;
  static constexpr bool kMemory = false, kExtra = true, kInnerApart = false, kTwice = true;

  template <class T>
  static void begin(const Step<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide u = gate(s.sum(at, j)), r = gate(s.sum(at, n + j));
      const Wide left = r * at.get(s.left + j);
      at.put(s.left + j, left);
      at.put(s.inner + j, u);
      if (s.gates == nullptr) return;
      at.put(s.extra + j, left);
      at.put(s.gates + j, u);
      at.put(s.gates + n + j, r);
    });
  }

  template <class T>
  static void finish(const Step<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide u = at.get(s.inner + j);
      const Wide candidate = tangent(s.sum(at, 2 * n + j));
      at.put(s.h + j, candidate + u * (at.get(s.h + j) - candidate));
      if (s.gates != nullptr) at.put(s.gates + 2 * n + j, candidate);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide u = at.get(s.gates + j), candidate = at.get(s.gates + 2 * n + j);
      const Wide dh = s.state(at, j);
      s.give(at, 2 * n + j, dh * (1.0f - u) * (1.0f - candidate * candidate));
      s.give(at, j, dh * (at.get(s.before + j) - candidate) * u * (1.0f - u));
      at.put(s.carry + j, dh * u);
    });
  }

  template <class T>
  static void finish_back(const StepBack<T>& s) {
    const int64_t n = s.units;
    for_units(n, [&](auto at, int64_t j) {
      const Wide r = at.get(s.gates + n + j), left = at.get(s.left + j);
      s.give(at, n + j, left * at.get(s.extra + j) * (1.0f - r));
      at.put(s.left + j, left * r);
    });
  }
};

struct Tangent {
  static SLIPSTREAM_INLINE Wide value(Wide x) { return tangent(x); }
  static SLIPSTREAM_INLINE Wide slope(Wide y) { return 1.0f - y * y; }
};

struct Rectifier {
  static SLIPSTREAM_INLINE Wide value(Wide x) { return maximum(x, Wide{}); }
  static SLIPSTREAM_INLINE Wide slope(Wide y) { return y > 0.0f ? splat<Wide>(1.0f) : Wide{}; }
};

template <class Activation>
struct Simple {
  static constexpr int kGates = 1, kBiases = 1;
  static constexpr bool kMemory = false, kExtra = false, kInnerApart = false, kTwice = false;

  template <class T>
  static void finish(const Step<T>& s) {
    for_units(s.units, [&](auto at, int64_t j) {
      const Wide h = Activation::value(s.sum(at, j));
      at.put(s.h + j, h);
      if (s.gates != nullptr) at.put(s.gates + j, h);
    });
  }

  template <class T>
  static void begin_back(const StepBack<T>& s) {
    for_units(s.units, [&](auto at, int64_t j) {
      s.give(at, j, s.state(at, j) * Activation::slope(at.get(s.gates + j)));
      at.put(s.carry + j, Wide{});
    });
  }
};

// ---- products with the recurrent kernel ------------------------------------------------------

// One row times a panel: several sums of every fourth product hide the adds' latency.
template <class V, int VECTORS>
void multiply_one(const float* row, int64_t depth, const float* matrix, const Panel& panel,
                  float* target) {
  constexpr int lanes = kSize<V>, width = VECTORS * lanes, apart = 4;
  V sums[apart][VECTORS] = {};
  int64_t k = 0;
  for (; k + apart <= depth; k += apart)
    for (int i = 0; i < apart; ++i)
      for (int v = 0; v < VECTORS; ++v)
        sums[i][v] += row[k + i] * load<V>(matrix + (k + i) * width + v * lanes);
  for (; k < depth; ++k)
    for (int v = 0; v < VECTORS; ++v)
      sums[0][v] += row[k] * load<V>(matrix + k * width + v * lanes);
  for (int v = 0; v < VECTORS; ++v)
    store_first(target + panel.first + v * lanes,
                (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]), panel.count - v * lanes);
}

// A packed matrix; number (k, j) is at source[k * row + j * column].
class Matrix {
 public:
  template <class T>
  __attribute__((noinline)) Matrix(Threads& threads, int64_t depth, int64_t columns,
                                   Scratch& scratch, const T* source, int64_t row, int64_t column)
      : depth_(depth), panels_(panels_of(columns)), runs_{{0, depth}} {
    const int64_t width = packed_columns(panels_);
    float* const packed = scratch.get(width * depth);
    parallel_ranges(threads, depth, 32768 / (width + 1) + 1, [&](int64_t begin, int64_t end) {
      if (column == 1)  // said apart, so that it is copied by vectors
        pack(panels_, depth, begin, end, packed,
             [&](int64_t k, int64_t j) { return to_float(source[k * row + j]); });
      else
        pack(panels_, depth, begin, end, packed,
             [&](int64_t k, int64_t j) { return to_float(source[k * row + j * column]); });
    });
    packed_ = packed;
  }

  __attribute__((noinline)) void multiply_rows(const Rows<float>& rows) const {
    if (rows.count > 1) return multiply(rows, runs_, depth_, panels_, packed_);
    const float* const row = rows.source + rows.from[0];
    float* const target = rows.target + rows.to[0];
    for (const Panel& panel : panels_) {
      const float* const matrix = packed_ + panel.packed * depth_;
      if (panel.width == 2 * kLanes)
        multiply_one<Wide, 2>(row, depth_, matrix, panel, target);
      else if (panel.width == kLanes)
        multiply_one<Wide, 1>(row, depth_, matrix, panel, target);
      else if (panel.width == 8)
        multiply_one<Vector<8>, 1>(row, depth_, matrix, panel, target);
      else
        multiply_one<Vector<4>, 1>(row, depth_, matrix, panel, target);
    }
  }

 private:
  int64_t depth_;
  std::vector<Panel> panels_;
  std::vector<Run> runs_;
  const float* packed_;
};

// ---- sweeps ----------------------------------------------------------------------------------

// What both sweeps know. Arrays that are not there are null.
struct Sequence {
  int64_t batch, time, units, columns;  // columns: of the gates, side by side
  bool reverse, all;                    // all: there is an output at each step, not one at the end
  const bool* mask;

  int64_t place(int64_t step) const { return reverse ? time - 1 - step : step; }
  int64_t at(int64_t row, int64_t t) const { return row * time + t; }
  bool skips(int64_t row, int64_t t) const { return mask != nullptr && !mask[at(row, t)]; }
};

template <class T>
struct Arrays {
  const T *z, *bias, *kernel, *h, *c, *scale;
  T *output, *last_c, *gates, *extra, *before;
};

template <class T>
struct Gradients {
  const T *kernel, *scale, *gates, *extra, *before, *output, *last_c;
  T *dz, *dinner, *bias, *h, *c, *dscale;
};

// Rows that one thread takes through all steps: some tiles, few enough for their cache.
constexpr int64_t kPartRows = 4 * kTileRows<2>;

int64_t parts_of(Threads& threads, const Sequence& s) {
  const int64_t needed = (s.batch + kPartRows - 1) / kPartRows;
  if (s.batch * s.time * (s.units + 16) * s.columns < (1 << 20)) return needed;
  const int64_t count = thread_count(threads);
  return std::min(s.batch, (needed + count - 1) / count * count);
}

// Where rows of `stride` numbers begin.
std::vector<int64_t> places(int64_t rows, int64_t stride) {
  std::vector<int64_t> found(rows);
  for (int64_t r = 0; r < rows; ++r) found[r] = r * stride;
  return found;
}

template <class T>
T* shifted(T* array, int64_t by) {
  return array == nullptr ? nullptr : array + by;
}

template <class Cell, class T>
void sweep(Threads& threads, const Sequence& s, const Arrays<T>& a) {
  const int64_t units = s.units, columns = s.columns, first = Cell::kTwice ? 2 * units : columns;
  static thread_local Scratch packing, packing_second, biasing;
  const Matrix matrix(threads, units, first, packing, a.kernel, columns, 1);
  const Matrix second(threads, units, columns - first, packing_second, a.kernel + first, columns,
                      1);
  float* const bias = biasing.get(Cell::kBiases * units);
  convert(a.bias, Cell::kBiases * units, bias);

  const int64_t parts = parts_of(threads, s);
  parallel_for(threads, parts, [&](int64_t part) {
    static thread_local Scratch states, products;
    const int64_t begin = part * s.batch / parts, rows = (part + 1) * s.batch / parts - begin;
    const int64_t size = rows * units;
    float* const h = states.get(4 * size);
    float *const c = h + size, *const left = c + size, *const scale = left + size;
    float* const inner = products.get(rows * columns);
    const std::vector<int64_t> from = places(rows, units), to = places(rows, columns);
    convert(a.h + begin * units, size, h);
    if (Cell::kMemory) convert(a.c + begin * units, size, c);
    if (a.scale != nullptr) convert(a.scale + begin * units, size, scale);
    float* const source = Cell::kTwice || a.scale != nullptr ? left : h;

    for (int64_t step = 0; step < s.time; ++step) {
      const int64_t t = s.place(step);
      if (source != h) std::copy_n(h, size, left);
      if (a.scale != nullptr) scale_by(scale, size, left);
      const auto row_at = [&](int64_t r) {
        const int64_t at = s.at(begin + r, t);
        return Step<T>{units,        a.z + at * columns,           inner + r * columns,
                       bias,         h + r * units,                c + r * units,
                       shifted(a.gates, at * columns), shifted(a.extra, at * units),
                       left + r * units};
      };
      matrix.multiply_rows({source, from.data(), inner, to.data(), rows});
      if constexpr (Cell::kTwice) {
        for (int64_t r = 0; r < rows; ++r) {
          const Step<T> row = row_at(r);
          if (!s.skips(begin + r, t))
            Cell::begin(row);
          else if (row.extra != nullptr)
            std::fill_n(row.extra, units, T{});  // it meets a zero in a product
        }
        second.multiply_rows({left, from.data(), inner + first, to.data(), rows});
      }
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t row = begin + r;
        if (a.before != nullptr) convert(h + r * units, units, a.before + s.at(row, t) * units);
        if (!s.skips(row, t)) Cell::finish(row_at(r));
        if (s.all) convert(h + r * units, units, a.output + s.at(row, step) * units);
      }
    }
    if (!s.all) convert(h, size, a.output + begin * units);
    if (Cell::kMemory) convert(c, size, a.last_c + begin * units);
  });
}

template <class Cell, class T>
void sweep_back(Threads& threads, const Sequence& s, const Gradients<T>& g) {
  const int64_t units = s.units, columns = s.columns, first = Cell::kTwice ? 2 * units : columns;
  const int64_t biases = Cell::kBiases * units;
  static thread_local Scratch packing, packing_second, summing;
  const Matrix matrix(threads, first, units, packing, g.kernel, 1, columns);
  const Matrix second(threads, columns - first, units, packing_second, g.kernel + first, 1,
                      columns);

  const int64_t parts = parts_of(threads, s);
  float* const totals = summing.get(parts * biases);
  std::fill_n(totals, parts * biases, 0.0f);
  parallel_for(threads, parts, [&](int64_t part) {
    static thread_local Scratch states, products, adding;
    const int64_t begin = part * s.batch / parts, rows = (part + 1) * s.batch / parts - begin;
    const int64_t size = rows * units;
    float* const carry = states.get(6 * size);
    float *const back = carry + size, *const c = back + size, *const left = c + size;
    float *const scale = left + size, *const dscale = scale + size;
    float* const inner = products.get(rows * columns);
    float* const bias = adding.get(biases);
    const std::vector<int64_t> from = places(rows, columns), to = places(rows, units);
    std::fill_n(carry, 6 * size, 0.0f);
    if (!s.all) convert(g.output + begin * units, size, carry);
    if (Cell::kMemory) convert(g.last_c + begin * units, size, c);
    if (g.scale != nullptr) convert(g.scale + begin * units, size, scale);

    for (int64_t step = s.time - 1; step >= 0; --step) {
      const int64_t t = s.place(step);
      const auto row_at = [&](int64_t r) {
        const int64_t at = s.at(begin + r, t);
        return StepBack<T>{units,
                           g.gates + at * columns,
                           shifted(g.extra, at * units),
                           g.before + at * units,
                           s.all ? g.output + s.at(begin + r, step) * units : nullptr,
                           carry + r * units,
                           back + r * units,
                           c + r * units,
                           inner + r * columns,
                           g.dz + at * columns,
                           shifted(g.dinner, at * columns),
                           bias,
                           left + r * units};
      };
      std::fill_n(bias, biases, 0.0f);  // sums of sums: fewer digits are lost
      for (int64_t r = 0; r < rows; ++r) {
        const StepBack<T> row = row_at(r);
        if (!s.skips(begin + r, t)) {
          Cell::begin_back(row);
          continue;
        }
        for_units(units, [&](auto at, int64_t j) { at.put(row.carry + j, row.state(at, j)); });
        std::fill_n(row.inner, columns, 0.0f);
        std::fill_n(row.dz, columns, T{});
        if (Cell::kInnerApart) std::fill_n(row.dinner, columns, T{});
      }
      if constexpr (Cell::kTwice) {
        second.multiply_rows({inner + first, from.data(), left, to.data(), rows});
        for (int64_t r = 0; r < rows; ++r)
          if (!s.skips(begin + r, t)) Cell::finish_back(row_at(r));
      }
      add(bias, biases, totals + part * biases);
      matrix.multiply_rows({inner, from.data(), back, to.data(), rows});
      if (Cell::kTwice) add(left, size, back);
      if (g.scale == nullptr) continue;
      for (int64_t r = 0; r < rows; ++r) {
        const T* const before = g.before + s.at(begin + r, t) * units;
        for_units(units, [&](auto at, int64_t j) {
          const int64_t i = r * units + j;
          at.put(dscale + i, at.get(dscale + i) + at.get(back + i) * at.get(before + j));
        });
      }
      scale_by(scale, size, back);
    }
    add(back, size, carry);
    convert(carry, size, g.h + begin * units);
    if (Cell::kMemory) convert(c, size, g.c + begin * units);
    if (g.scale != nullptr) convert(dscale, size, g.dscale + begin * units);
  });
  for (int64_t part = 1; part < parts; ++part) add(totals + part * biases, biases, totals);
  convert(totals, biases, g.bias);
}

// ---- entry points ----------------------------------------------------------------------------

// Calls body(Cell{}); the numbers are those of `CELLS` in kernels/cells.py.
template <class Body>
ffi::Error with_cell(int64_t cell, const Body& body) {
  if (cell == 0) return body(Lstm{});
  if (cell == 1) return body(Gru{});
  if (cell == 2) return body(GruResetFirst{});
  if (cell == 3) return body(Simple<Tangent>{});
  if (cell == 4) return body(Simple<Rectifier>{});
  return refuse("there is no recurrent cell " + std::to_string(cell));
}

// Null where an array stands for one that is not there.
template <class T>
T* present(Array& array) {
  return array.element_count() == 0 ? nullptr : data<T>(array);
}

Sequence describe(Array& like, Array& mask, int64_t units, bool reverse, bool all) {
  const auto shape = like.dimensions();
  return {shape[0], shape[1], units, shape[2], reverse, all, present<bool>(mask)};
}

ffi::Error run_saving(Threads threads, Array z, Array bias, Array kernel, Array h, Array c,
                      Array scale, Array mask, int64_t cell, int64_t reverse, int64_t all,
                      Output output, Output last_c, Output gates, Output extra, Output before) {
  const Sequence s = describe(z, mask, h.dimensions()[1], reverse, all);
  return with_storage(z.element_type(), [&](auto type) {
    using T = decltype(type);
    return with_cell(cell, [&](auto chosen) {
      sweep<decltype(chosen), T>(
          threads, s,
          {data<T>(z), data<T>(bias), data<T>(kernel), data<T>(h), data<T>(c), present<T>(scale),
           data<T>(output), data<T>(last_c), data<T>(gates), data<T>(extra), data<T>(before)});
      return ffi::Error::Success();
    });
  });
}

ffi::Error run(Threads threads, Array z, Array bias, Array kernel, Array h, Array c, Array scale,
               Array mask, int64_t cell, int64_t reverse, int64_t all, Output output,
               Output last_c) {
  const Sequence s = describe(z, mask, h.dimensions()[1], reverse, all);
  return with_storage(z.element_type(), [&](auto type) {
    using T = decltype(type);
    return with_cell(cell, [&](auto chosen) {
      sweep<decltype(chosen), T>(threads, s,
                                 {data<T>(z), data<T>(bias), data<T>(kernel), data<T>(h),
                                  data<T>(c), present<T>(scale), data<T>(output), data<T>(last_c),
                                  nullptr, nullptr, nullptr});
      return ffi::Error::Success();
    });
  });
}

ffi::Error run_back(Threads threads, Array kernel, Array scale, Array mask, Array gates,
                    Array extra, Array before, Array output, Array last_c, int64_t cell,
                    int64_t reverse, int64_t all, Output dz, Output dinner, Output bias, Output h,
                    Output c, Output dscale) {
  const Sequence s = describe(gates, mask, before.dimensions()[2], reverse, all);
  return with_storage(gates.element_type(), [&](auto type) {
    using T = decltype(type);
    return with_cell(cell, [&](auto chosen) {
      sweep_back<decltype(chosen), T>(
          threads, s,
          {data<T>(kernel), present<T>(scale), data<T>(gates), data<T>(extra), data<T>(before),
           data<T>(output), data<T>(last_c), data<T>(dz), data<T>(dinner), data<T>(bias),
           data<T>(h), data<T>(c), data<T>(dscale)});
      return ffi::Error::Success();
    });
  });
}

auto forward_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<int64_t>("cell")
      .Attr<int64_t>("reverse")
      .Attr<int64_t>("all")
      .Ret<Array>()
      .Ret<Array>();
}

auto back_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<int64_t>("cell")
      .Attr<int64_t>("reverse")
      .Attr<int64_t>("all")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(recurrent, run, forward_binding());
SLIPSTREAM_HANDLER(recurrent_saving, run_saving,
                   forward_binding().Ret<Array>().Ret<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(recurrent_gradient, run_back, back_binding());

}  // namespace
}  // namespace slipstream
