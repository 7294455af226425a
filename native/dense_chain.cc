// Dense layers one after another, and the gradient of all their weights, as one operation each.
//
// This is for layers so small that to start an operation takes as long as its arithmetic. Some
// rows pass through all layers while they lie in the nearest cache. The weights of all layers lie
// one after another: a matrix (inputs, outputs), then its bias if there is one.

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "across.h"
#include "handler.h"
#include "own_threads.h"
#include "packing.h"
#include "rows.h"

namespace slipstream {
namespace {

constexpr int64_t kBlock = 96;       // rows that pass through all layers at once
constexpr int64_t kLeast = 1 << 16;  // multiplications that are worth a thread
constexpr int64_t kWake = 1 << 20;   // and those that are worth waking one
constexpr int64_t kPart = 1 << 21;   // and those whose gradients are summed apart

enum Activation : int64_t { kLinear, kRelu, kTanh, kSigmoid, kSoftmax };

struct Layer {
  int64_t inputs, outputs;
  Activation activation;
  int64_t matrix, bias;  // where they lie among the weights; -1: it has no bias
  int64_t before;        // numbers that a row has in the layers between the input and this one
};

struct Chain {
  std::vector<Layer> layers;
  int64_t weights = 0, hidden = 0, widest = 0;

  Chain(Numbers sizes, Numbers activations, Numbers biased) {
    for (size_t i = 0; i < activations.size(); ++i) {
      Layer layer = {sizes[i], sizes[i + 1], static_cast<Activation>(activations[i]), weights, -1,
                     hidden};
      weights += layer.inputs * layer.outputs;
      if (biased[i]) {
        layer.bias = weights;
        weights += layer.outputs;
      }
      if (i + 1 < activations.size()) hidden += layer.outputs;
      widest = std::max(widest, std::max(layer.inputs, layer.outputs));
      layers.push_back(layer);
    }
  }
};

// A layer's matrix or its transpose, and its bias, as the tiles of a product read them.
struct Packed {
  std::vector<Panel> panels;
  int64_t depth;
  const float* matrix;
  Finish finish;

  // Some rows' products.
  void multiply(const float* from, int64_t count, int64_t columns, float* to) const {
    int64_t sources[kBlock], targets[kBlock];
    for (int64_t r = 0; r < count; ++r) {
      sources[r] = r * depth;
      targets[r] = r * columns;
    }
    slipstream::multiply(Rows<float>{from, sources, to, targets, count}, {{0, depth}}, depth,
                         panels, matrix, finish);
  }
};

struct Weights {
  const float *matrix, *bias;  // null: it has no bias
};

std::vector<Weights> weights_of(const Chain& chain, const float* all) {
  std::vector<Weights> result;
  for (const Layer& layer : chain.layers)
    result.push_back({all + layer.matrix, layer.bias < 0 ? nullptr : all + layer.bias});
  return result;
}

std::vector<Packed> packed_layers(const Chain& chain, const std::vector<Weights>& weights,
                                  bool transposed, Scratch& scratch) {
  std::vector<Packed> result;
  result.reserve(chain.layers.size());
  int64_t size = 0;
  for (const Layer& layer : chain.layers) {
    const int64_t depth = transposed ? layer.outputs : layer.inputs;
    const int64_t columns = transposed ? layer.inputs : layer.outputs;
    result.push_back({panels_of(columns), depth, nullptr, {}});
    size += packed_columns(result.back().panels) * depth + columns + 2 * kLanes;
  }
  float* to = scratch.get(size);
  for (size_t i = 0; i < result.size(); ++i) {
    const Layer& layer = chain.layers[i];
    Packed& packed = result[i];
    const int64_t columns = transposed ? layer.inputs : layer.outputs;
    const Product product = {0, packed.depth, columns, transposed};
    packed.matrix = to;
    for (const Panel& panel : packed.panels)
      pack_panel(product, weights[i].matrix, panel, to + panel.packed * packed.depth);
    to += packed_columns(packed.panels) * packed.depth;
    if (transposed) continue;
    if (weights[i].bias != nullptr) {
      std::memcpy(to, weights[i].bias, columns * sizeof(float));
      std::memset(to + columns, 0, 2 * kLanes * sizeof(float));
      packed.finish.bias = to;
      to += columns + 2 * kLanes;
    }
    if (layer.activation == kRelu) packed.finish.top = std::numeric_limits<float>::infinity();
  }
  return result;
}

void softmax(float* row, int64_t count) {
  const float none = -__builtin_inff();
  Wide most = splat<Wide>(none), total = {};
  along(count, [&](int64_t j, auto some) { most = maximum(most, take(row + j, some, none)); });
  const float top = largest(most);
  along(count, [&](int64_t j, auto some) {
    const Wide v = exponential(take(row + j, some, none) - top);
    total += v;
    put(row + j, v, some);
  });
  const float share = 1.0f / sum(total);
  along(count, [&](int64_t j, auto some) { put(row + j, take(row + j, some) * share, some); });
}

// A product cuts off negative numbers by itself; the others are a pass over what it gave.
void activate(float* numbers, int64_t rows, int64_t columns, Activation activation) {
  if (activation == kSoftmax)
    for (int64_t n = 0; n < rows; ++n) softmax(numbers + n * columns, columns);
  if (activation != kTanh && activation != kSigmoid) return;
  along(rows * columns, [&](int64_t j, auto some) {
    const Wide v = take(numbers + j, some);
    put(numbers + j, activation == kTanh ? hyperbolic_tangent(v) : sigmoid(v), some);
  });
}

// Gradients of what an activation got, from those of what it gave, `y`.
void deactivate(const float* d, const float* y, int64_t count, Activation activation, float* to) {
  along(count, [&](int64_t j, auto some) {
    const Wide slope = take(d + j, some), v = take(y + j, some);
    put(to + j,
        activation == kRelu   ? (v > 0.0f ? slope : Wide{})
        : activation == kTanh ? slope * (1.0f - v * v)
                              : slope * v * (1.0f - v),
        some);
  });
}

void forward_rows(const Chain& chain, const std::vector<Packed>& packed, const float* x,
                  int64_t first, int64_t count, int64_t rows, float* hidden, float* y) {
  static thread_local Scratch passing;
  float* own[2] = {nullptr, nullptr};
  if (hidden == nullptr) {
    own[0] = passing.get(2 * kBlock * chain.widest);
    own[1] = own[0] + kBlock * chain.widest;
  }
  const float* from = x + first * chain.layers[0].inputs;
  for (size_t i = 0; i < chain.layers.size(); ++i) {
    const Layer& layer = chain.layers[i];
    float* const to = i + 1 == chain.layers.size() ? y + first * layer.outputs
                      : hidden ? hidden + layer.before * rows + first * layer.outputs
                               : own[i % 2];
    packed[i].multiply(from, count, layer.outputs, to);
    activate(to, count, layer.outputs, layer.activation);
    from = to;
  }
}

int64_t tasks_of(Threads& threads, int64_t work, int64_t most) {
  const int64_t least = threads_awake() ? kLeast : kWake;
  return std::clamp<int64_t>(work / least, 1, std::min(most, 4 * thread_count(threads)));
}

ffi::Error forward(Threads threads, Numbers sizes, Numbers activations, Numbers biased, Array x,
                   Array weights, Output y, Output saved) {
  static thread_local Scratch packing;
  const Chain chain(sizes, activations, biased);
  const std::vector<Packed> packed = packed_layers(chain, weights_of(chain, data<float>(weights)), false, packing);
  const int64_t rows = x.dimensions()[0];
  float* const hidden = saved->element_count() ? data<float>(saved) : nullptr;
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  const int64_t tasks = blocks == 1 ? 1 : tasks_of(threads, rows * chain.weights, blocks);
  parallel_for(threads, tasks, [&](int64_t task) {
    for (int64_t b = task * blocks / tasks; b < (task + 1) * blocks / tasks; ++b)
      forward_rows(chain, packed, data<float>(x), b * kBlock, std::min(kBlock, rows - b * kBlock),
                   rows, hidden, data<float>(y));
  });
  return ffi::Error::Success();
}

// The sum of some rows: added to `sums`, or stored there if it is the first.
void add_rows(const float* d, int64_t count, int64_t columns, bool fresh, float* sums) {
  along(columns, [&](int64_t j, auto some) {
    Wide total = fresh ? Wide{} : take(sums + j, some);
    for (int64_t n = 0; n < count; ++n) total += take(d + n * columns + j, some);
    put(sums + j, total, some);
  });
}

// Some rows' gradients: added to `sums` (or stored there if they are the first), as the weights
// lie, and stored to `dx` if it is wanted.
void backward_rows(const Chain& chain, const std::vector<Packed>& packed, const float* x,
                   const float* hidden, const float* y, const float* dy, int64_t first,
                   int64_t count, int64_t rows, bool fresh, float* sums, float* dx) {
  static thread_local Scratch passing;
  const int64_t size = kBlock * (chain.widest + 2 * kLanes);
  float* const own = passing.get(4 * size);
  float *const turned = own, *const panelled = own + size;
  const int64_t last = static_cast<int64_t>(chain.layers.size()) - 1;
  const float* d = dy + first * chain.layers[last].outputs;
  for (int64_t i = last; i >= 0; --i) {
    const Layer& layer = chain.layers[i];
    const int64_t columns = layer.outputs;
    const auto result = [&](int64_t l) {
      return hidden + chain.layers[l].before * rows + first * chain.layers[l].outputs;
    };
    if (layer.activation != kLinear) {
      deactivate(d, i == last ? y + first * columns : result(i), count * columns,
                 layer.activation, turned);
      d = turned;
    }
    if (layer.bias >= 0) add_rows(d, count, columns, fresh, sums + layer.bias);
    const float* const from = i == 0 ? x + first * layer.inputs : result(i - 1);
    for (const Panel& panel : panels_of(columns)) {
      pack_panel({0, count, columns, false}, d, panel, panelled);
      across(from, layer.inputs, layer.inputs, panel, panelled, panel.width, count,
             sums + layer.matrix + panel.first, columns, fresh);
    }
    if (i == 0 && dx == nullptr) return;
    float* const to = i == 0 ? dx + first * layer.inputs : own + (2 + i % 2) * size;
    packed[i].multiply(d, count, layer.inputs, to);
    d = to;
  }
}

ffi::Error backward(Threads threads, Numbers sizes, Numbers activations, Numbers biased, Array x,
                    Array weights, Array saved, Array y, Array dy, Output gradient, Output inner) {
  static thread_local Scratch packing, summing;
  const Chain chain(sizes, activations, biased);
  const std::vector<Packed> packed = packed_layers(chain, weights_of(chain, data<float>(weights)), true, packing);
  const int64_t rows = x.dimensions()[0], size = chain.weights;
  float* const result = data<float>(gradient);
  float* const dx = inner->element_count() ? data<float>(inner) : nullptr;
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  // How many sums there are depends on the shape alone: results repeat bit for bit.
  const int64_t parts = std::clamp<int64_t>(rows * size / kPart, 1, std::min<int64_t>(blocks, 8));
  float* const sums = parts == 1 ? result : summing.get(parts * size);
  parallel_for(threads, parts, [&](int64_t part) {
    float* const own = sums + part * size;
    const int64_t begin = part * blocks / parts, end = (part + 1) * blocks / parts;
    for (int64_t b = begin; b < end; ++b)
      backward_rows(chain, packed, data<float>(x), data<float>(saved), data<float>(y),
                    data<float>(dy), b * kBlock, std::min(kBlock, rows - b * kBlock), rows,
                    b == begin, own, dx);
  });
  if (parts == 1) return ffi::Error::Success();
  along(size, [&](int64_t j, auto some) {
    Wide total = take(sums + j, some);
    for (int64_t part = 1; part < parts; ++part) total += take(sums + part * size + j, some);
    put(result + j, total, some);
  });
  return ffi::Error::Success();
}

auto of_chain() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Attr<Numbers>("sizes")
      .Attr<Numbers>("activations")
      .Attr<Numbers>("biased")
      .Arg<Array>()
      .Arg<Array>();
}

SLIPSTREAM_HANDLER(dense_chain, forward, of_chain().Ret<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(
    dense_chain_gradient, backward,
    of_chain().Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Ret<Array>());

}  // namespace

// A chain with the present values of its weights, which finds outputs outside of any program.
struct Network {
  Chain chain;
  Scratch scratch;
  std::vector<Packed> packed;
};

#define SLIPSTREAM_EXPORT extern "C" __attribute__((visibility("default")))

// `plan` is the sizes, activations and whether there is a bias; `places` each matrix and bias.
SLIPSTREAM_EXPORT Network* slipstream_network(const int64_t* plan, int64_t layers,
                                              const float* const* places) {
  const Numbers sizes(plan, layers + 1), activations(plan + layers + 1, layers),
      biased(plan + 2 * layers + 1, layers);
  auto* const network = new Network{Chain(sizes, activations, biased), {}, {}};
  std::vector<Weights> weights;
  for (int64_t i = 0; i < layers; ++i, places += 2) weights.push_back({places[0], places[1]});
  network->packed = packed_layers(network->chain, weights, false, network->scratch);
  return network;
}

SLIPSTREAM_EXPORT void slipstream_network_free(Network* network) { delete network; }

// Outputs for rows, on at most so many threads.
SLIPSTREAM_EXPORT void slipstream_network_outputs(const Network* network, const float* x,
                                                  int64_t rows, float* y, int64_t threads) {
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  const auto some = [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      forward_rows(network->chain, network->packed, x, b * kBlock,
                   std::min(kBlock, rows - b * kBlock), rows, nullptr, y);
  };
  if (threads < 2) return some(0, blocks);
  const int64_t tasks = std::min(blocks, 8 * threads);
  parallel_for(OwnThreads::of(threads), tasks, [&](int64_t task) {
    some(task * blocks / tasks, (task + 1) * blocks / tasks);
  });
}

}  // namespace slipstream
