// Linear maps along up to three axes: each position takes a weighted sum over a run of positions.
//
// Repeated positions, interpolation, zeros around, and the gradients of these are all such maps.
// A line of the result takes lines of the input first, into one line, and then along that line.

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "windows.h"

namespace slipstream {
namespace {

// What one position takes: `count` positions from `first` on.
struct Takes {
  int64_t first, count;
  const float* weights;

  bool copies(int64_t position) const {
    return count == 1 && first == position && weights[0] == 1.0f;
  }
};

// A line of the input with its weight.
template <class T>
struct Share {
  const T* from;
  float weight;
};

// Neighbouring positions of a line's result that are written at once.
struct Stretch {
  int64_t position, count;
  Takes takes;  // what each takes, or, of several, what the first copies: they copy neighbours
};

struct Maps {
  Sizes in, out;
  std::vector<Takes> runs[kAxes];
  std::vector<Stretch> stretches;  // of the last axis

  // For each position of each axis in turn, where its run begins and `taps` weights; zeros at the
  // ends of these count for nothing.
  Maps(const Array& x, const Array& y, const int32_t* first, const float* weights, Numbers taps) {
    for (int a = 0; a < kAxes; ++a) {
      in[a] = x.dimensions()[1 + a];
      out[a] = y.dimensions()[1 + a];
      for (int64_t i = 0; i < out[a]; ++i, ++first, weights += taps[a]) {
        int64_t begin = 0, end = taps[a];
        while (end > begin && weights[end - 1] == 0.0f) --end;
        while (begin < end && weights[begin] == 0.0f) ++begin;
        runs[a].push_back({*first + begin, end - begin, weights + begin});
      }
    }
    const std::vector<Takes>& line = runs[kAxes - 1];
    for (int64_t i = 0, next; i < out[kAxes - 1]; i = next) {
      const int64_t from = line[i].first;
      for (next = i + 1; next < out[kAxes - 1]; ++next)
        if (!line[i].copies(from) || !line[next].copies(from + next - i)) break;
      stretches.push_back({i, next - i, line[i]});
    }
  }
};

template <int N>
using Count = std::integral_constant<int, N>;

// Calls body(V{}, vectors, at) for vectors that cover `length` numbers; the last one may overlap
// the one before.
template <class V, class Body>
SLIPSTREAM_INLINE void cover(int64_t length, const Body& body) {
  constexpr int64_t lanes = kSize<V>;
  int64_t i = 0;
  for (; i + 4 * lanes <= length; i += 4 * lanes) body(Count<4>{}, i);
  for (; i + lanes <= length; i += lanes) body(Count<1>{}, i);
  if (i < length) body(Count<1>{}, length - lanes);
}

// The sum of so many terms, each a vector times a weight.
template <class V, int VECTORS, class U, class From, class Weight>
SLIPSTREAM_INLINE void add_terms(int64_t count, const From& from, const Weight& weight, U* to) {
  V sums[VECTORS];
  for (int v = 0; v < VECTORS; ++v) sums[v] = load<V>(from(0) + v * kSize<V>) * weight(0);
  for (int64_t k = 1; k < count; ++k)
    for (int v = 0; v < VECTORS; ++v)
      sums[v] += load<V>(from(k) + v * kSize<V>) * weight(k);
  for (int v = 0; v < VECTORS; ++v) store(to + v * kSize<V>, sums[v]);
}

// The sum of some lines of `length` numbers, each times its weight.
template <class T>
void add_lines(const std::vector<Share<T>>& shares, int64_t length, float* to) {
  const Share<T>* const own = shares.data();
  const int64_t count = shares.size();
  with_width(length, [&](auto width) {
    using V = decltype(width);
    cover<V>(length, [&](auto vectors, int64_t at) {
      add_terms<V, decltype(vectors)::value>(
          count, [=](int64_t k) { return own[k].from + at; },
          [=](int64_t k) { return own[k].weight; }, to + at);
    });
  });
}

// A line of the result from one of the input.
template <class T, class U>
void along_line(const Maps& maps, const T* line, int64_t channels, U* y) {
  using Four = Vector<4>;
  const int64_t numbers = maps.in[kAxes - 1] * channels, end = maps.out[kAxes - 1] * channels;
  for (const Stretch& stretch : maps.stretches) {
    const Takes& run = stretch.takes;
    const T* const from = line + run.first * channels;
    const int64_t first = stretch.position * channels, length = stretch.count * channels;
    U* const to = y + first;
    const auto sum = [&](auto vector, auto vectors, int64_t at) {
      add_terms<decltype(vector), decltype(vectors)::value>(
          run.count, [=](int64_t k) { return from + k * channels + at; },
          [&](int64_t k) { return run.weights[k]; }, to + at);
    };
    const int64_t reach = (run.first + run.count - 1) * channels + kSize<Four>;
    if (run.count == 0)
      std::memset(to, 0, length * sizeof(U));
    else if (length < kSize<Four> && reach <= numbers && first + kSize<Four> <= end)
      sum(Four{}, Count<1>{}, 0);  // what is too much belongs to the next position, which is next
    else
      with_width(length, [&](auto width) {
        cover<decltype(width)>(
            length, [&](auto vectors, int64_t at) { sum(width, vectors, at); });
      });
  }
}

template <class T>
void apply(Threads& threads, const Maps& maps, int64_t batch, int64_t channels, const T* x, T* y) {
  const int64_t line = maps.in[2] * channels, result = maps.out[2] * channels;
  const int64_t lines = batch * maps.out[0] * maps.out[1];
  const int64_t grain = 32768 / std::max<int64_t>({line, result, 1}) + 1;
  parallel_ranges(threads, lines, grain, [&](int64_t begin, int64_t end) {
    static thread_local Scratch scratch;
    static thread_local std::vector<Share<T>> shares;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t image = i / (maps.out[0] * maps.out[1]) * maps.in[0];
      const Takes& plane = maps.runs[0][i / maps.out[1] % maps.out[0]];
      const Takes& row = maps.runs[1][i % maps.out[1]];
      shares.clear();
      for (int64_t p = 0; p < plane.count; ++p)
        for (int64_t r = 0; r < row.count; ++r)
          shares.push_back({x + ((image + plane.first + p) * maps.in[1] + row.first + r) * line,
                            plane.weights[p] * row.weights[r]});
      const int64_t count = shares.size();
      T* const to = y + i * result;
      if (count == 0) {
        std::memset(to, 0, result * sizeof(T));
      } else if (count == 1 && shares[0].weight == 1.0f) {
        along_line(maps, shares[0].from, channels, to);
      } else {
        float* const sum = scratch.get(line);
        add_lines(shares, line, sum);
        along_line(maps, sum, channels, to);
      }
    }
  });
}

ffi::Error run(Threads threads, Array x, Array first, Array weights, Numbers taps, Output y) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    const Maps maps(x, *y, data<int32_t>(first), data<float>(weights), taps);
    apply(threads, maps, x.dimensions()[0], x.dimensions()[4], data<T>(x), data<T>(y));
    return ffi::Error::Success();
  });
}

SLIPSTREAM_HANDLER(resample, run,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Attr<Numbers>("taps")
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
