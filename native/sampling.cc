// Pictures read between their pixels, each picture at places of its own.
//
// A vector of places at a time: which pixels each of them takes and their shares, then the sums.

#include <cstring>
#include <type_traits>

#include "handler.h"
#include "rows.h"
#include "whole.h"

namespace slipstream {
namespace {

using Indices = VectorOf<kLanes>::Int;
using Four = Vector<4>;

// `splat` of a number that is not constant, which it would set lane by lane.
SLIPSTREAM_INLINE Wide all(float value) { return value - Wide{}; }

enum Fill { REFLECT, WRAP, CONSTANT, NEAREST };  // as sampling.py lists them

// An axis of the pictures, and how places along it are read.
struct Axis {
  float size;
  Fill fill;
  bool smooth;  // between two pixels, not at the nearest

  // Places within the axis, or so near that one of their pixels may be; NaN if they are.
  SLIPSTREAM_INLINE Wide bring_in(Wide places) const {
    const Wide zero = splat<Wide>(0.0f);
    if (!smooth) places = nearest(places);
    if (fill == REFLECT) {  // the reflected axis repeats after both of its faces
      const float period = 2.0f * size, inverse = 1.0f / period;
      places = places + 0.5f;
      places = places < 0.0f ? -places : places;
      places = places - period * floor(places * inverse);
      return minimum(period - places, places) - 0.5f;
    }
    if (fill == WRAP) {
      const float inverse = 1.0f / size;
      return places - size * floor(places * inverse);
    }
    const Wide low = zero - 2.0f, high = all(size + 1.0f), last = all(size - 1.0f);
    // Comparisons choose the second where there is NaN: the fill value takes that, as all far away.
    if (fill == CONSTANT) return minimum(maximum(places, low), high);
    return minimum(last, maximum(zero, places));
  }

  // The first or the second of a place's pixels: its index, and its share or 0 if it is outside.
  SLIPSTREAM_INLINE void end(Wide place, Wide& share, Indices& index) const {
    const Wide last = all(size - 1.0f), zero = splat<Wide>(0.0f);
    if (fill == CONSTANT) share = ((place >= zero) & (place <= last)) ? share : zero;
    if (fill == WRAP) place = place > last ? place - size : place;
    index = __builtin_convertvector(minimum(maximum(place, zero), last), Indices);
  }
};

constexpr int kPlaces = 8 * kLanes;  // looked up at once, before any pixel is read

// For each of some places, `TAPS` numbers of the picture and their shares; and what is left.
template <int TAPS>
struct Taps {
  int32_t at[TAPS][kPlaces];
  float share[TAPS][kPlaces];
  float rest[kPlaces];

  SLIPSTREAM_INLINE void look_up(const Axis& down, const Axis& across, Wide rows, Wide columns,
                                 int64_t channels, bool filled, int64_t p) {
    constexpr int ends = TAPS == 4 ? 2 : 1;
    Wide row_shares[ends], column_shares[ends];
    Indices lines[ends], pixels[ends];
    both(down, rows, static_cast<int32_t>(across.size * channels), row_shares, lines);
    both(across, columns, static_cast<int32_t>(channels), column_shares, pixels);
    for (int k = 0; k < TAPS; ++k) {
      const int r = k / ends, c = k % ends;
      const Indices number = lines[r] + pixels[c];
      std::memcpy(at[k] + p, &number, sizeof number);
      store(share[k] + p, row_shares[r] * column_shares[c]);
    }
    if (!filled) return;
    for (int e = 1; e < ends; ++e) {
      row_shares[0] += row_shares[e];
      column_shares[0] += column_shares[e];
    }
    store(rest + p, 1.0f - row_shares[0] * column_shares[0]);
  }

 private:
  template <int ENDS>
  SLIPSTREAM_INLINE static void both(const Axis& axis, Wide places, int32_t step,
                                     Wide (&shares)[ENDS], Indices (&numbers)[ENDS]) {
    places = axis.bring_in(places);
    const Wide first = small_floor(places);
    shares[0] = ENDS == 1 ? splat<Wide>(1.0f) : 1.0f - (places - first);
    axis.end(first, shares[0], numbers[0]);
    numbers[0] *= step;
    if constexpr (ENDS == 2) {
      shares[1] = places - first;
      axis.end(first + 1.0f, shares[1], numbers[1]);
      numbers[1] *= step;
    }
  }
};

// One pixel of the result, `V` by `V`. Fours may read and write up to 3 numbers more than the
// pixel's. With 2 channels and more these are the next one's, which is to be written afterwards.
template <class V, int TAPS, class Channels>
SLIPSTREAM_INLINE void sum_up(const Taps<TAPS>& taps, int64_t p, Channels channels, float fill,
                              const float* picture, float* to) {
  for (int64_t c = 0; c < channels; c += kSize<V>) {
    V sum = taps.share[0][p] * load<V>(picture + taps.at[0][p] + c);
    for (int k = 1; k < TAPS; ++k)
      sum += taps.share[k][p] * load<V>(picture + taps.at[k][p] + c);
    if (fill != 0.0f) sum += taps.rest[p] * fill;
    store(to + c, sum);
  }
}

struct Spot {
  Wide rows, columns;
};

// Places that were given for each pixel.
struct Given {
  const float *rows, *columns;
  int64_t height, width;

  template <class Count>
  SLIPSTREAM_INLINE Spot at(int64_t b, int64_t y, int64_t x, Count count) const {
    const int64_t i = (b * height + y) * width + x;
    return {take(rows + i, count), take(columns + i, count)};
  }
};

// Places that follow from 8 numbers of each picture.
struct Transformed {
  const float* numbers;
  bool projective;

  template <class Count>
  SLIPSTREAM_INLINE Spot at(int64_t b, int64_t y, int64_t x, Count) const {
    const float* const n = numbers + 8 * b;
    const float row = static_cast<float>(y);
    Wide column;
    for (int i = 0; i < kLanes; ++i) column[i] = i;
    column += static_cast<float>(x);
    const Wide rows = n[3] * column + (n[4] * row + n[5]);
    const Wide columns = n[0] * column + (n[1] * row + n[2]);
    if (!projective) return {rows, columns};
    const Wide share = 1.0f / (n[6] * column + (n[7] * row + 1.0f));
    return {rows * share, columns * share};
  }
};

struct Job {
  Axis down, across;
  float fill;
  int64_t batch, height, width;  // of the result
  int64_t picture;               // numbers in one
};

template <class V, int TAPS, class Source, class Channels>
__attribute__((noinline)) void read_line(const Job& job, const Source& source, int64_t b,
                                         int64_t y, Channels channels, const float* picture,
                                         float* to) {
  Taps<TAPS> taps;
  for (int64_t x = 0; x < job.width; x += kPlaces) {
    const int64_t count = job.width - x < kPlaces ? job.width - x : kPlaces;
    along(count, [&](int64_t p, auto some) {
      const Spot spot = source.at(b, y, x + p, some);
      taps.look_up(job.down, job.across, spot.rows, spot.columns, channels, job.fill != 0.0f, p);
    });
    for (int64_t p = 0; p < count - 1; ++p, to += channels)
      sum_up<V>(taps, p, channels, job.fill, picture, to);
    sum_up<float>(taps, count - 1, channels, job.fill, picture, to);
    to += channels;
  }
}

template <int TAPS, class Source, class Channels>
void apply(Threads& threads, const Job& job, const Source& source, Channels channels,
           const float* x, float* to) {
  const int64_t grain = 4096 / (job.width + 1) + 1;
  parallel_ranges(threads, job.batch * job.height, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / job.height;
      // Behind the last picture there is nothing to read, and lines end with one pixel by itself.
      const bool fours = b + 1 < job.batch && channels > 1;
      const auto read = fours ? read_line<Four, TAPS, Source, Channels>
                              : read_line<float, TAPS, Source, Channels>;
      read(job, source, b, i % job.height, channels, x + b * job.picture,
           to + i * job.width * channels);
    }
  });
}

template <class Source>
ffi::Error run(Threads& threads, const Source& source, bool smooth, int64_t fill_mode, float fill,
               Array x, Output y) {
  const auto mode = static_cast<Fill>(fill_mode);
  const auto in = x.dimensions(), out = y->dimensions();
  const int64_t channels = in[3];
  const Job job{{static_cast<float>(in[1]), mode, smooth},
                {static_cast<float>(in[2]), mode, smooth},
                fill, out[0], out[1], out[2], in[1] * in[2] * channels};
  const auto with = [&](auto number) {
    using Channels = decltype(number);
    const auto chosen = smooth ? apply<4, Source, Channels> : apply<1, Source, Channels>;
    chosen(threads, job, source, number, data<float>(x), data<float>(y));
  };
  if (channels == 3)
    with(std::integral_constant<int64_t, 3>{});
  else
    with(channels);
  return ffi::Error::Success();
}

ffi::Error run_sample(Threads threads, int64_t smooth, int64_t fill_mode, float fill, Array x,
                      Array rows, Array columns, Output y) {
  const Given source{data<float>(rows), data<float>(columns), y->dimensions()[1],
                     y->dimensions()[2]};
  return run(threads, source, smooth != 0, fill_mode, fill, x, y);
}

ffi::Error run_warp(Threads threads, int64_t smooth, int64_t fill_mode, float fill,
                    int64_t projective, Array x, Array numbers, Output y) {
  const Transformed source{data<float>(numbers), projective != 0};
  return run(threads, source, smooth != 0, fill_mode, fill, x, y);
}

auto filled() {
  return ffi::Ffi::Bind()
      .Ctx<Threads>()
      .Attr<int64_t>("smooth")
      .Attr<int64_t>("fill_mode")
      .Attr<float>("fill_value");
}

SLIPSTREAM_HANDLER(sample, run_sample,
                   filled().Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(
    warp, run_warp,
    filled().Attr<int64_t>("projective").Arg<Array>().Arg<Array>().Ret<Array>());

}  // namespace
}  // namespace slipstream
