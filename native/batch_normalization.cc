// Batch and group normalization, with their gradients.
//
// The array is (examples, positions, channels); each example has a mean and a variance for each
// group of channels. A batch is one example whose groups are single channels.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>
#include <vector>

#include "handler.h"

namespace slipstream {
namespace {

constexpr int kVectors = 4;
constexpr int64_t kChunk = kVectors * kLanes;  // columns that are worked on at once

// Positions of few channels are laid side by side, `times` of them, so that they fill vectors.
struct Fold {
  int64_t channels;
  int64_t times;
  int64_t width;

  explicit Fold(int64_t channels) : channels(channels), times(1) {
    if (channels < kChunk) times = kLanes / std::gcd(channels, int64_t{kLanes});
    while (times * channels < kChunk) times *= 2;
    width = times * channels;
  }
  // Lines of `times` positions that stay in the nearest cache.
  int64_t lines() const { return std::max<int64_t>(8, 4096 / width); }
  void tile(float* row) const {
    for (int64_t i = channels; i < width; ++i) row[i] = row[i - channels];
  }
};

// Calls body(column) for each chunk of columns; the last one may overlap the one before.
template <class Body>
SLIPSTREAM_INLINE void for_chunks(int64_t width, const Body& body) {
  for (int64_t c = 0; c + kChunk < width; c += kChunk) body(c);
  body(width - kChunk);
}

template <class V, int COUNT>
SLIPSTREAM_INLINE void take_all(const float* from, int64_t step, V (&to)[COUNT]) {
  for (int k = 0; k < COUNT; ++k) to[k] = load<V>(from + k * step);
}

// Adds two terms of each number of positions [begin, end) to sums[2][width].
//
// terms(at, constants, first, second) adds them for the numbers from `at` on; `constants` are
// those of their columns, from [CONSTANTS][width].
template <int CONSTANTS, class Terms>
void add_up(const Fold& fold, int64_t begin, int64_t end, const float* constants, float* sums,
            const Terms& terms) {
  static thread_local Scratch scratch;
  const int64_t width = fold.width, most = fold.lines();
  float* const block = scratch.get(2 * width);
  for (; begin + fold.times <= end;) {
    const int64_t lines = std::min(most, (end - begin) / fold.times);
    for_chunks(width, [&](int64_t c) {
      Wide own[kVectors][CONSTANTS], first[kVectors] = {}, second[kVectors] = {};
      for (int v = 0; v < kVectors; ++v) take_all(constants + c + v * kLanes, width, own[v]);
      int64_t at = begin * fold.channels + c;
      for (int64_t line = 0; line < lines; ++line, at += width)
        for (int v = 0; v < kVectors; ++v) terms(at + v * kLanes, own[v], first[v], second[v]);
      for (int v = 0; v < kVectors; ++v) {
        store(block + c + v * kLanes, first[v]);
        store(block + width + c + v * kLanes, second[v]);
      }
    });
    for (int64_t i = 0; i < 2 * width; ++i) sums[i] += block[i];
    begin += lines * fold.times;
  }
  for (int64_t c = 0; c < (end - begin) * fold.channels; ++c) {
    Vector<1> own[CONSTANTS], first = {}, second = {};
    take_all(constants + c, width, own);
    terms(begin * fold.channels + c, own, first, second);
    sums[c] += first[0];
    sums[width + c] += second[0];
  }
}

// Calls body(at, constants) for the numbers of positions [begin, end), vector by vector; some
// come twice.
template <int CONSTANTS, class Body>
void for_all(const Fold& fold, int64_t begin, int64_t end, const float* constants,
             const Body& body) {
  const int64_t width = fold.width, most = fold.lines();
  for (; begin + fold.times <= end;) {
    const int64_t lines = std::min(most, (end - begin) / fold.times);
    for_chunks(width, [&](int64_t c) {
      Wide own[kVectors][CONSTANTS];
      for (int v = 0; v < kVectors; ++v) take_all(constants + c + v * kLanes, width, own[v]);
      int64_t at = begin * fold.channels + c;
      for (int64_t line = 0; line < lines; ++line, at += width)
        for (int v = 0; v < kVectors; ++v) body(at + v * kLanes, own[v]);
    });
    begin += lines * fold.times;
  }
  for (int64_t c = 0; c < (end - begin) * fold.channels; ++c) {
    Vector<1> own[CONSTANTS];
    take_all(constants + c, width, own);
    body(begin * fold.channels + c, own);
  }
}

// The array, its groups, and which positions count: all, or those that `marks` says, each of
// which speaks for a run of positions.
struct Columns {
  int64_t examples, positions, channels, groups;
  const bool* marks;
  int64_t mark_count;
  int64_t parts;  // of an example; they depend on the shape alone

  Columns(const Array& x, int64_t groups, const Array& counted)
      : examples(x.dimensions()[0]),
        positions(x.dimensions()[1]),
        channels(x.dimensions()[2]),
        groups(groups),
        marks(static_cast<const bool*>(counted.untyped_data())),
        mark_count(counted.element_count()) {
    const int64_t size = positions * channels, many = std::max<int64_t>(1, 64 / examples);
    parts = examples >= 16 ? 1 : std::max<int64_t>(1, std::min(many, size / 32768));
  }
  int64_t cut(int64_t part, const Fold& fold) const {
    return part == parts ? positions : part * positions / parts / fold.times * fold.times;
  }
  int64_t group(int64_t channel) const { return channel / (channels / groups); }

  int64_t counted() const {
    if (mark_count == 0) return positions;
    return std::count(marks, marks + mark_count, true) * (positions / mark_count);
  }
  // Calls body(begin, end, counts) for the runs of [begin, end) that count or do not.
  template <class Body>
  void for_runs(int64_t begin, int64_t end, const Body& body) const {
    if (mark_count == 0) return body(begin, end, true);
    const int64_t each = positions / mark_count;
    while (begin < end) {
      int64_t mark = begin / each;
      const bool counts = marks[mark];
      while (mark < mark_count && marks[mark] == counts && mark * each < end) ++mark;
      const int64_t until = std::min(mark * each, end);
      body(begin, until, counts);
      begin = until;
    }
  }
  // Runs the three steps of an operation: on each part, on each example, on each part again.
  template <class First, class Second, class Third>
  void run(Threads& threads, const First& first, const Second& second, const Third& third) const {
    if (parts == 1) {  // an example stays in the cache from step to step
      const int64_t grain = 16384 / (positions * channels) + 1;
      parallel_ranges(threads, examples, grain, [&](int64_t begin, int64_t end) {
        for (int64_t e = begin; e < end; ++e) {
          first(e, 0);
          second(e);
          third(e, 0);
        }
      });
      return;
    }
    parallel_for(threads, examples * parts, [&](int64_t i) { first(i / parts, i % parts); });
    for (int64_t e = 0; e < examples; ++e) second(e);
    parallel_for(threads, examples * parts, [&](int64_t i) { third(i / parts, i % parts); });
  }
};

// Mean and sum of squared distances from it, of so many numbers.
struct Moments {
  float count = 0.0f, mean = 0.0f, squares = 0.0f;

  void add(const Moments& other) {
    const float all = count + other.count;
    if (other.count == 0.0f) return;
    const float distance = other.mean - mean, share = other.count / all;
    mean += distance * share;
    squares += other.squares + distance * distance * count * share;
    count = all;
  }
};

template <class T>
void measure(const Columns& c, const Fold& fold, const T* x, int64_t begin, int64_t end,
             Moments* moments) {
  static thread_local Scratch scratch;
  const int64_t width = fold.width, channels = c.channels;
  float* const shift = scratch.get(3 * width);
  float* const sums = shift + width;
  std::fill(shift, shift + 3 * width, 0.0f);
  // Distances from a mean of the first few: numbers far from 0 do not lose their variance.
  int64_t few = 0, count = 0;
  c.for_runs(begin, end, [&](int64_t from, int64_t to, bool counts) {
    if (!counts) return;
    count += to - from;
    for (int64_t p = from; p < to && few < 16; ++p, ++few)
      for (int64_t i = 0; i < channels; ++i) shift[i] += to_float(x[p * channels + i]);
  });
  for (int64_t i = 0; i < channels; ++i) shift[i] /= few > 0 ? few : 1;
  fold.tile(shift);
  c.for_runs(begin, end, [&](int64_t from, int64_t to, bool counts) {
    if (counts)
      add_up<1>(fold, from, to, shift, sums, [x](int64_t at, auto& own, auto& one, auto& two) {
        const auto distance = load<std::decay_t<decltype(one)>>(x + at) - own[0];
        one += distance;
        two += distance * distance;
      });
  });
  const float n = static_cast<float>(count > 0 ? count : 1);
  for (int64_t i = 0; i < channels; ++i) {
    float one = 0.0f, two = 0.0f;
    for (int64_t k = i; k < width; k += channels) {
      one += sums[k];
      two += sums[width + k];
    }
    moments[i] = {static_cast<float>(count), shift[i] + one / n,
                  std::max(two - one * (one / n), 0.0f)};
  }
}

template <class T>
void normalize_columns(Threads& threads, const Columns& c, const T* x, const float* scale,
                       const float* offset, float epsilon, T* y, float* mean, float* variance) {
  const Fold fold(c.channels);
  const int64_t size = c.positions * c.channels, members = c.channels / c.groups;
  std::vector<Moments> moments(c.examples * c.parts * c.channels);
  c.run(
      threads,
      [&](int64_t e, int64_t part) {
        measure(c, fold, x + e * size, c.cut(part, fold), c.cut(part + 1, fold),
                &moments[(e * c.parts + part) * c.channels]);
      },
      [&](int64_t e) {
        const Moments* const own = &moments[e * c.parts * c.channels];
        for (int64_t g = 0; g < c.groups; ++g) {
          Moments all;
          for (int64_t part = 0; part < c.parts; ++part)
            for (int64_t i = 0; i < members; ++i)
              all.add(own[part * c.channels + g * members + i]);
          mean[e * c.groups + g] = all.mean;
          variance[e * c.groups + g] = all.count > 0.0f ? all.squares / all.count : 0.0f;
        }
      },
      [&](int64_t e, int64_t part) {
        static thread_local Scratch scratch;
        float* const own = scratch.get(3 * fold.width);
        for (int64_t i = 0; i < c.channels; ++i) {
          const int64_t g = e * c.groups + c.group(i);
          own[i] = mean[g];
          own[fold.width + i] = scale[i] / std::sqrt(variance[g] + epsilon);
          own[2 * fold.width + i] = offset[i];
        }
        for (int k = 0; k < 3; ++k) fold.tile(own + k * fold.width);
        const T* const from = x + e * size;
        T* const to = y + e * size;
        for_all<3>(fold, c.cut(part, fold), c.cut(part + 1, fold), own,
                   [from, to](int64_t at, auto& k) {
                     using V = std::decay_t<decltype(k[0])>;
                     store<V>(to + at, (load<V>(from + at) - k[0]) * k[1] + k[2]);
                   });
      });
}

template <class T>
void differentiate_columns(Threads& threads, const Columns& c, const T* x, const float* scale,
                           const float* mean, const float* variance, const T* dy,
                           const float* dmean, const float* dvariance, float epsilon, T* dx,
                           float* dscale, float* doffset) {
  const Fold fold(c.channels);
  const int64_t size = c.positions * c.channels, channels = c.channels, width = fold.width;
  const int64_t members = channels / c.groups;
  const float count = static_cast<float>(std::max<int64_t>(1, c.counted()) * members);
  // Of each part and channel: the sums of dy and of dy times the distance from the mean.
  std::vector<float> sums(c.examples * c.parts * 2 * channels);
  // Of each example and group: how dx grows with the distance from the mean, and a constant.
  std::vector<float> slopes(c.examples * 2 * c.groups);
  const auto factor = [&](int64_t g) { return 1.0f / std::sqrt(variance[g] + epsilon); };
  c.run(
      threads,
      [&](int64_t e, int64_t part) {
        static thread_local Scratch scratch;
        float* const centre = scratch.get(3 * width);
        float* const found = centre + width;
        for (int64_t i = 0; i < channels; ++i) centre[i] = mean[e * c.groups + c.group(i)];
        fold.tile(centre);
        std::fill(found, found + 2 * width, 0.0f);
        const T* const input = x + e * size;
        const T* const slope = dy + e * size;
        add_up<1>(fold, c.cut(part, fold), c.cut(part + 1, fold), centre, found,
                  [input, slope](int64_t at, auto& own, auto& one, auto& two) {
                    using V = std::decay_t<decltype(one)>;
                    const V d = load<V>(slope + at);
                    one += d;
                    two += d * (load<V>(input + at) - own[0]);
                  });
        float* const to = &sums[(e * c.parts + part) * 2 * channels];
        for (int64_t i = 0; i < channels; ++i)
          for (int64_t k = i; k < width; k += channels) {
            to[i] += found[k];
            to[channels + i] += found[width + k];
          }
      },
      [&](int64_t e) {
        float* const all = &sums[e * c.parts * 2 * channels];  // the first part takes the others
        for (int64_t part = 1; part < c.parts; ++part)
          for (int64_t i = 0; i < 2 * channels; ++i) all[i] += all[part * 2 * channels + i];
        for (int64_t group = 0; group < c.groups; ++group) {
          const int64_t g = e * c.groups + group;
          float one = 0.0f, two = 0.0f;
          for (int64_t i = group * members; i < (group + 1) * members; ++i) {
            one += scale[i] * all[i];
            two += scale[i] * all[channels + i];
          }
          const float by = factor(g);
          slopes[2 * g] = (2.0f * dvariance[g] - by * by * by * two) / count;
          slopes[2 * g + 1] = (dmean[g] - by * one) / count;
        }
      },
      [&](int64_t e, int64_t part) {
        static thread_local Scratch scratch;
        float* const own = scratch.get(4 * width);
        for (int64_t i = 0; i < channels; ++i) {
          const int64_t g = e * c.groups + c.group(i);
          own[i] = scale[i] * factor(g);
          own[width + i] = mean[g];
          own[2 * width + i] = slopes[2 * g];
          own[3 * width + i] = slopes[2 * g + 1];
        }
        for (int k = 0; k < 4; ++k) fold.tile(own + k * width);
        const T* const input = x + e * size;
        const T* const slope = dy + e * size;
        T* const to = dx + e * size;
        const auto counting = [input, slope, to](int64_t at, auto& k) {
          using V = std::decay_t<decltype(k[0])>;
          store<V>(to + at,
                   load<V>(slope + at) * k[0] + ((load<V>(input + at) - k[1]) * k[2] + k[3]));
        };
        const auto apart = [slope, to](int64_t at, auto& k) {
          using V = std::decay_t<decltype(k[0])>;
          store<V>(to + at, load<V>(slope + at) * k[0]);
        };
        c.for_runs(c.cut(part, fold), c.cut(part + 1, fold),
                   [&](int64_t from, int64_t until, bool counts) {
                     if (counts)
                       for_all<4>(fold, from, until, own, counting);
                     else
                       for_all<1>(fold, from, until, own, apart);
                   });
      });
  for (int64_t i = 0; i < channels; ++i) dscale[i] = doffset[i] = 0.0f;
  for (int64_t e = 0; e < c.examples; ++e) {
    const float* const all = &sums[e * c.parts * 2 * channels];
    for (int64_t i = 0; i < channels; ++i) {
      doffset[i] += all[i];
      dscale[i] += all[channels + i] * factor(e * c.groups + c.group(i));
    }
  }
}

ffi::Error run_columns(Threads threads, Array x, Array scale, Array offset, Array counted,
                       int64_t groups, float epsilon, Output y, Output mean, Output variance) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    normalize_columns(threads, Columns(x, groups, counted), data<T>(x), data<float>(scale),
                      data<float>(offset), epsilon, data<T>(y), data<float>(mean),
                      data<float>(variance));
    return ffi::Error::Success();
  });
}

ffi::Error run_columns_gradient(Threads threads, Array x, Array scale, Array counted, Array mean,
                                Array variance, Array dy, Array dmean, Array dvariance,
                                int64_t groups, float epsilon, Output dx, Output dscale,
                                Output doffset) {
  return with_storage(x.element_type(), [&](auto storage) {
    using T = decltype(storage);
    differentiate_columns(threads, Columns(x, groups, counted), data<T>(x), data<float>(scale),
                          data<float>(mean), data<float>(variance), data<T>(dy),
                          data<float>(dmean), data<float>(dvariance), epsilon, data<T>(dx),
                          data<float>(dscale), data<float>(doffset));
    return ffi::Error::Success();
  });
}

auto columns_binding() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Arg<Array>()
      .Attr<int64_t>("groups")
      .Attr<float>("epsilon")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

auto columns_gradient_binding() {
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
      .Attr<int64_t>("groups")
      .Attr<float>("epsilon")
      .Ret<Array>()
      .Ret<Array>()
      .Ret<Array>();
}

SLIPSTREAM_HANDLER(column_normalization, run_columns, columns_binding());
SLIPSTREAM_HANDLER(column_normalization_gradient, run_columns_gradient,
                   columns_gradient_binding());

}  // namespace
}  // namespace slipstream
