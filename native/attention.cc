// Scaled dot-product attention and its gradients, a block of queries at a time.
//
// The scores of a block stay in the cache and are never written out; the gradient computes them
// anew from the logarithm of their sum, as flash attention does (Dao et al., 2022). Heads lie side
// by side in memory and are read where they are. Keys that `causal` hides are not computed.

#include <algorithm>
#include <cmath>
#include <vector>

#include "across.h"
#include "handler.h"
#include "packing.h"

namespace slipstream {
namespace {

constexpr int64_t kBlock = 12;        // queries of a tile
constexpr int64_t kScores = 16384;    // of a block of the gradient; two such arrays stay cached
constexpr float kInfinite = __builtin_inff();

struct Attention {
  int64_t batch, queries, keys, heads, groups, features, values;
  float scale;
  bool causal, uniform;
  const bool* mask;
  int64_t mask_steps[4];  // batch, head, query, key; 0 along axes of size 1

  int64_t shared() const { return heads / groups; }  // query heads that one key head serves
  // How many keys the queries before `end` may see.
  int64_t reach(int64_t end) const { return causal ? std::min(keys, end) : keys; }
};

Attention describe(const Array& q, const Array& k, const Array& v, const Array& mask, float scale,
                   int64_t causal, int64_t uniform) {
  const auto qs = q.dimensions(), ks = k.dimensions(), ms = mask.dimensions();
  Attention a{qs[0], qs[1], ks[1], qs[2], ks[2], qs[3], v.dimensions()[3],
              scale, causal != 0, uniform != 0, nullptr, {}};
  if (mask.element_count() == 0) return a;
  a.mask = static_cast<const bool*>(mask.untyped_data());
  int64_t step = 1;
  for (int axis = 3; axis >= 0; --axis) {
    a.mask_steps[axis] = ms[axis] == 1 ? 0 : step;
    step *= ms[axis];
  }
  return a;
}

// A matrix in panels of columns, packed for products.
struct Packed {
  std::vector<Panel> panels;
  int64_t depth = 0;
  int64_t columns = 0;  // with the zeros at the end
  float* numbers = nullptr;
  Scratch scratch;

  void shape(int64_t rows, int64_t count) {
    panels = panels_of(count);
    depth = rows;
    columns = packed_columns(panels);
    numbers = scratch.get(std::max<int64_t>(1, depth * columns));
  }
  const float* at(const Panel& panel) const { return numbers + panel.packed * depth; }
};

// Rows of some head, `step` numbers apart, as they are.
template <class T>
void pack_rows(const T* from, int64_t step, int64_t rows, int64_t columns, Packed& to) {
  to.shape(rows, columns);
  const Panel* const panels = to.panels.data();
  pack_panels(from, step, rows, panels, panels + to.panels.size(), to.numbers);
}

// The same, transposed: its columns are the rows.
template <class T>
void pack_columns(const T* from, int64_t step, int64_t rows, int64_t columns, Packed& to) {
  to.shape(columns, rows);
  for (const Panel& panel : to.panels)
    pack_turned(from + panel.first * step, step, panel.count, columns,
                to.numbers + panel.packed * columns, panel.width);
}

// to[r][j] = sum over k < depth of rows[r][k] * matrix[k][j], for the panels that begin before
// column `end`.
void multiply_block(const float* rows, int64_t step, int64_t count, int64_t depth,
                    const Packed& matrix, int64_t end, float* to, int64_t to_step) {
  static thread_local std::vector<int64_t> from, places;
  from.resize(count);
  places.resize(count);
  for (int64_t r = 0; r < count; ++r) {
    from[r] = r * step;
    places[r] = r * to_step;
  }
  static thread_local std::vector<Run> runs(1);
  runs[0] = {0, depth};
  const Rows<float> all{rows, from.data(), to, places.data(), count};
  for (const Panel& panel : matrix.panels) {
    if (panel.first >= end) break;
    const Panel whole{panel.first, panel.width, panel.width, panel.packed};  // `to` has room
    const float* const packed = matrix.at(panel);
    with_vectors(panel, [&](auto vector, auto vectors) {
      multiply_panel<decltype(vector), vectors()>(all, runs, whole, packed);
    });
  }
}

// Sets what query `t` may not see to minus infinity in its row of logits, up to `width` numbers;
// says how many keys it sees.
int64_t hide(const Attention& a, int64_t b, int64_t h, int64_t t, float* row, int64_t width) {
  const int64_t end = a.reach(t + 1);
  int64_t seen = end;
  if (a.mask != nullptr) {
    const bool* const mask =
        a.mask + b * a.mask_steps[0] + h * a.mask_steps[1] + t * a.mask_steps[2];
    const int64_t step = a.mask_steps[3];
    for (int64_t s = 0; s < end; ++s)
      if (!mask[s * step]) {
        row[s] = -kInfinite;
        --seen;
      }
  }
  for (int64_t s = end; s < width; ++s) row[s] = -kInfinite;
  return seen;
}

int64_t widened(int64_t count) { return (count + 2 * kLanes - 1) / (2 * kLanes) * 2 * kLanes; }

// Rows one after the other; those that come next are on their way meanwhile.
template <class T>
void take_rows(const T* from, int64_t step, int64_t rows, int64_t columns, float* to) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < columns; k += 16) __builtin_prefetch(from + (r + rows) * step + k);
    for (int64_t k = 0; k < columns; ++k) to[r * columns + k] = to_float(from[r * step + k]);
  }
}

template <class T>
void forward(Threads& threads, const Attention& a, const T* q, const T* k, const T* v, T* y,
             float* totals) {
  const int64_t q_step = a.heads * a.features, k_step = a.groups * a.features;
  const int64_t v_step = a.groups * a.values, y_step = a.heads * a.values;
  // Queries are cut where there are few heads; keys are then packed more than once.
  const int64_t pairs = a.batch * a.groups;
  const int64_t wanted = (4 * thread_count(threads) + pairs - 1) / pairs;
  const int64_t cuts =
      thread_count(threads) == 1 ? 1 : std::clamp<int64_t>(a.queries / 64, 1, wanted);
  parallel_for(threads, pairs * cuts, [&](int64_t task) {
    static thread_local Packed keys, values;
    static thread_local Scratch rowing, scoring, weighing;
    const int64_t pair = task / cuts, cut = task % cuts, b = pair / a.groups, g = pair % a.groups;
    const int64_t first = cut * a.queries / cuts, last = (cut + 1) * a.queries / cuts;
    const int64_t reach = a.uniform && a.mask ? a.keys : a.reach(last);
    pack_columns(k + b * a.keys * k_step + g * a.features, k_step, reach, a.features, keys);
    pack_rows(v + b * a.keys * v_step + g * a.values, v_step, reach, a.values, values);
    const int64_t width = widened(reach);
    float* const rows = rowing.get(kBlock * a.features);
    float* const scores = scoring.get(kBlock * width);
    float* const sums = weighing.get(kBlock * widened(a.values));
    for (int64_t h = g * a.shared(); h < (g + 1) * a.shared(); ++h)
      for (int64_t t = first; t < last; t += kBlock) {
        const int64_t count = std::min(kBlock, last - t);
        take_rows(q + (b * a.queries + t) * q_step + h * a.features, q_step, count, a.features,
                  rows);
        const int64_t seen = a.reach(t + count), near = widened(seen);
        multiply_block(rows, a.features, count, a.features, keys, seen, scores, width);
        float by[kBlock];
        bool lost = false;
        for (int64_t r = 0; r < count; ++r) {
          float* const row = scores + r * width;
          float* const total = totals + (b * a.heads + h) * a.queries + t + r;
          if (hide(a, b, h, t + r, row, near) == 0) {  // sees nothing: the mean of all, or zeros
            std::fill(row, row + width, 0.0f);
            if (a.uniform) std::fill(row, row + a.keys, 1.0f);
            by[r] = a.uniform ? 1.0f / a.keys : 0.0f;
            *total = kInfinite;
            lost = true;
            continue;
          }
          Wide most = splat<Wide>(-kInfinite);
          for (int64_t s = 0; s < near; s += kLanes) most = maximum(most, load<Wide>(row + s));
          const float top = largest(most) * a.scale;
          Wide sum_of = {};
          for (int64_t s = 0; s < near; s += kLanes) {
            const Wide power = exponential(load<Wide>(row + s) * a.scale - top);
            sum_of += power;
            store(row + s, power);
          }
          const float all = sum(sum_of);
          by[r] = 1.0f / all;
          *total = top + std::log(all);
        }
        if (lost)
          for (int64_t r = 0; r < count; ++r)
            if (totals[(b * a.heads + h) * a.queries + t + r] != kInfinite)
              std::fill(scores + r * width + near, scores + (r + 1) * width, 0.0f);
        multiply_block(scores, width, count, lost && a.uniform ? reach : seen, values, a.values,
                       sums, widened(a.values));
        T* const to = y + (b * a.queries + t) * y_step + h * a.values;
        for (int64_t r = 0; r < count; ++r)
          for (int64_t e = 0; e < a.values; ++e)
            to[r * y_step + e] = from_float<T>(sums[r * widened(a.values) + e] * by[r]);
      }
  });
}

template <class T>
void gradient(Threads& threads, const Attention& a, const T* q, const T* k, const T* v,
              const float* totals, const T* dy, T* dq, T* dk, T* dv) {
  const int64_t q_step = a.heads * a.features, k_step = a.groups * a.features;
  const int64_t v_step = a.groups * a.values, y_step = a.heads * a.values;
  const int64_t width = widened(a.keys) + 2 * kLanes;
  const int64_t block =
      std::clamp<int64_t>(kScores / width / kBlock * kBlock, kBlock, 4 * kBlock);
  const int64_t key_width = widened(a.features), value_width = widened(a.values);
  parallel_for(threads, a.batch * a.groups, [&](int64_t pair) {
    static thread_local Packed keys, keys_across, values_across, queries, slopes;
    static thread_local Scratch rowing, sloping, scoring, changing, summing, key_summing,
        value_summing;
    const int64_t b = pair / a.groups, g = pair % a.groups;
    const T* const own_keys = k + b * a.keys * k_step + g * a.features;
    const T* const own_values = v + b * a.keys * v_step + g * a.values;
    pack_columns(own_keys, k_step, a.keys, a.features, keys_across);
    pack_rows(own_keys, k_step, a.keys, a.features, keys);
    pack_columns(own_values, v_step, a.keys, a.values, values_across);
    float* const rows = rowing.get(block * a.features);
    float* const given = sloping.get(block * a.values);
    float* const scores = scoring.get(block * width);
    float* const changes = changing.get(block * width);
    float* const sums = summing.get(block * key_width);
    float* const key_sums = key_summing.get(a.keys * key_width);
    float* const value_sums = value_summing.get(a.keys * value_width);
    std::fill(key_sums, key_sums + a.keys * key_width, 0.0f);
    std::fill(value_sums, value_sums + a.keys * value_width, 0.0f);
    for (int64_t h = g * a.shared(); h < (g + 1) * a.shared(); ++h)
      for (int64_t t = 0; t < a.queries; t += block) {
        const int64_t count = std::min(block, a.queries - t);
        const T* const from = q + (b * a.queries + t) * q_step + h * a.features;
        const T* const slope = dy + (b * a.queries + t) * y_step + h * a.values;
        take_rows(from, q_step, count, a.features, rows);
        take_rows(slope, y_step, count, a.values, given);
        pack_rows(from, q_step, count, a.features, queries);
        pack_rows(slope, y_step, count, a.values, slopes);
        const float* const total = totals + (b * a.heads + h) * a.queries + t;
        bool lost = false;
        for (int64_t r = 0; r < count; ++r) lost = lost || total[r] == kInfinite;
        const int64_t seen = lost && a.uniform ? a.keys : a.reach(t + count);
        const int64_t near = widened(seen);
        multiply_block(rows, a.features, count, a.features, keys_across, seen, scores, width);
        multiply_block(given, a.values, count, a.values, values_across, seen, changes, width);
        for (int64_t r = 0; r < count; ++r) {
          float* const row = scores + r * width;
          float* const change = changes + r * width;
          if (hide(a, b, h, t + r, row, near) == 0) {  // the scores are constant
            std::fill(row, row + near, 0.0f);
            if (a.uniform) std::fill(row, row + a.keys, 1.0f / a.keys);
            std::fill(change, change + near, 0.0f);
            continue;
          }
          const int64_t end = a.reach(t + r + 1);
          std::fill(change + end, change + near, 0.0f);
          Wide mean = {};
          for (int64_t s = 0; s < near; s += kLanes) {
            const Wide score = exponential(load<Wide>(row + s) * a.scale - total[r]);
            mean += score * load<Wide>(change + s);
            store(row + s, score);
          }
          const float middle = sum(mean);
          for (int64_t s = 0; s < near; s += kLanes)
            store(change + s,
                  (load<Wide>(change + s) - middle) * load<Wide>(row + s) * a.scale);
        }
        for (const Panel& panel : slopes.panels)
          across(scores, width, seen, panel, slopes.at(panel), panel.width, count, value_sums + panel.first,
                 value_width, false);
        for (const Panel& panel : queries.panels)
          across(changes, width, seen, panel, queries.at(panel), panel.width, count, key_sums + panel.first,
                 key_width, false);
        multiply_block(changes, width, count, seen, keys, a.features, sums, key_width);
        T* const to = dq + (b * a.queries + t) * q_step + h * a.features;
        for (int64_t r = 0; r < count; ++r)
          for (int64_t f = 0; f < a.features; ++f)
            to[r * q_step + f] = from_float<T>(sums[r * key_width + f]);
      }
    T* const to_keys = dk + b * a.keys * k_step + g * a.features;
    T* const to_values = dv + b * a.keys * v_step + g * a.values;
    for (int64_t s = 0; s < a.keys; ++s) {
      for (int64_t f = 0; f < a.features; ++f)
        to_keys[s * k_step + f] = from_float<T>(key_sums[s * key_width + f]);
      for (int64_t e = 0; e < a.values; ++e)
        to_values[s * v_step + e] = from_float<T>(value_sums[s * value_width + e]);
    }
  });
}

ffi::Error run_forward(Threads threads, Array q, Array k, Array v, Array mask, float scale,
                       int64_t causal, int64_t uniform, Output y, Output totals) {
  return with_storage(q.element_type(), [&](auto storage) {
    using T = decltype(storage);
    forward(threads, describe(q, k, v, mask, scale, causal, uniform), data<T>(q), data<T>(k),
            data<T>(v), data<T>(y), data<float>(totals));
    return ffi::Error::Success();
  });
}

ffi::Error run_gradient(Threads threads, Array q, Array k, Array v, Array mask, Array totals,
                        Array dy, float scale, int64_t causal, int64_t uniform, Output dq,
                        Output dk, Output dv) {
  return with_storage(q.element_type(), [&](auto storage) {
    using T = decltype(storage);
    gradient(threads, describe(q, k, v, mask, scale, causal, uniform), data<T>(q), data<T>(k),
             data<T>(v), data<float>(totals), data<T>(dy), data<T>(dq), data<T>(dk),
             data<T>(dv));
    return ffi::Error::Success();
  });
}

auto forward_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<float>("scale")
      .Attr<int64_t>("causal")
      .Attr<int64_t>("uniform")
      .Ret<Array>()
      .Ret<Array>();
}

auto gradient_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<float>("scale")
      .Attr<int64_t>("causal")
      .Attr<int64_t>("uniform")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(attention, run_forward, forward_binding());
SLIPSTREAM_HANDLER(attention_gradient, run_gradient, gradient_binding());

}  // namespace
}  // namespace slipstream
