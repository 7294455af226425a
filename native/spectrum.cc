// Fourier transforms of a signal's overlapping pieces, and signals from such spectra.
//
// A vector holds a number of several pieces, so that their transforms are vectors' arithmetic
// alone. The real numbers of a piece are taken for half as many complex ones, and the spectrum of
// the former is put together from that of the latter.

#include <algorithm>

#include "fourier.h"
#include "handler.h"
#include "packing.h"
#include "rows.h"

namespace slipstream {
namespace {

struct Pieces {
  int64_t rows, count, size, stride;  // of `rows` signals, `count` pieces each

  int64_t bins() const { return size / 2 + 1; }
  int64_t samples() const { return (count - 1) * stride + size; }
};

// Calls body(row, first, some) for groups of pieces that fill a vector's lanes.
template <class Body>
void for_groups(Threads& threads, const Pieces& p, const Body& body) {
  const int64_t groups = (p.count + kLanes - 1) / kLanes;
  const int64_t grain = 16384 / (p.size * kLanes) + 1;
  parallel_ranges(threads, p.rows * groups, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % groups * kLanes;
      body(i / groups, first, std::min<int64_t>(kLanes, p.count - first));
    }
  });
}

// The halves of a spectrum that real numbers have, from that of their pairs taken for complex ones.
void part(const Pieces& p, const Roots& roots, const float* numbers, float* real, float* imag) {
  const int64_t half = p.size / 2;
  const auto give = [&](int64_t bin, const Complex& value) {
    store(real + bin * kLanes, value.real);
    store(imag + bin * kLanes, value.imag);
  };
  const Complex zero = load_complex(numbers);
  give(0, {zero.real + zero.imag, Wide{}});
  give(half, {zero.real - zero.imag, Wide{}});
  for (int64_t k = 1; k <= half / 2; ++k) {
    const Complex a = load_complex(numbers + k * 2 * kLanes);
    const Complex b = load_complex(numbers + (half - k) * 2 * kLanes).conjugate();
    const Complex even = (a + b) * 0.5f;
    const Complex odd = ((b - a) * 0.5f).times_i().turned(roots.cosine[k], roots.sine[k]);
    give(half - k, (even - odd).conjugate());
    give(k, even + odd);
  }
}

// The reverse, with real and imaginary parts exchanged: then the same transform leads back.
// `share`: of every frequency but the first and the last.
void join(const Pieces& p, const Roots& roots, float share, const float* real, const float* imag,
          float* numbers) {
  const int64_t half = p.size / 2;
  const auto take = [&](int64_t bin) {
    return Complex{load<Wide>(real + bin * kLanes), load<Wide>(imag + bin * kLanes)};
  };
  const auto give = [&](int64_t at, const Complex& value) {
    store_complex(numbers + at * 2 * kLanes, {value.imag, value.real});
  };
  const Wide first = load<Wide>(real), last = load<Wide>(real + half * kLanes);
  give(0, {first + last, first - last});
  for (int64_t k = 1; k <= half / 2; ++k) {
    const Complex a = take(k), b = take(half - k).conjugate();
    const Complex even = (a + b) * share;
    const Complex odd = ((a - b) * share).turned(roots.cosine[k], -roots.sine[k]).times_i();
    give(half - k, (even - odd).conjugate());
    give(k, even + odd);
  }
}

ffi::Error run_forward(Threads threads, int64_t stride, Array x, Array window, Output real,
                       Output imag) {
  const Pieces p = {x.dimensions()[0], real->dimensions()[1], window.dimensions()[0], stride};
  const int64_t samples = x.dimensions()[1], bins = p.bins();
  const Roots& roots = Roots::of(p.size);
  const float* const weights = data<float>(window);
  for_groups(threads, p, [&](int64_t row, int64_t first, int64_t some) {
    static thread_local Scratch scratch;
    float* const numbers = scratch.get(4 * bins * kLanes);
    float* const spare = numbers + 2 * bins * kLanes;
    pack_turned(data<float>(x) + row * samples + first * stride, stride, some, p.size, numbers,
                kLanes);
    for (int64_t n = 0; n < p.size; ++n)
      store(numbers + n * kLanes, load<Wide>(numbers + n * kLanes) * weights[n]);
    float* const found = transform(p.size / 2, roots, 2, numbers, spare);
    float* const parts = found == numbers ? spare : numbers;
    part(p, roots, found, parts, parts + bins * kLanes);
    const int64_t at = (row * p.count + first) * bins;
    pack_turned(parts, kLanes, bins, some, data<float>(real) + at, bins);
    pack_turned(parts + bins * kLanes, kLanes, bins, some, data<float>(imag) + at, bins);
  });
  return ffi::Error::Success();
}

ffi::Error run_cut(Threads threads, int64_t stride, Array x, Output y) {
  const int64_t samples = x.dimensions()[1], count = y->dimensions()[1], size = y->dimensions()[2];
  parallel_ranges(threads, x.dimensions()[0] * count, 16384 / size + 1,
                  [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i)
                      std::copy_n(data<float>(x) + i / count * samples + i % count * stride, size,
                                  data<float>(y) + i * size);
                  });
  return ffi::Error::Success();
}

// Adds up what the pieces have at samples [begin, end), the first piece first.
void overlap(const Pieces& p, const float* pieces, int64_t begin, int64_t end, float* y) {
  std::fill(y + begin, y + end, 0.0f);
  const int64_t first = begin < p.size ? 0 : (begin - p.size) / p.stride + 1;
  for (int64_t i = first; i < p.count && i * p.stride < end; ++i) {
    const int64_t start = i * p.stride;
    const int64_t low = std::max(begin, start), high = std::min(end, start + p.size);
    const float* const from = pieces + i * p.size + (low - start);
    along(high - low, [=](int64_t j, auto some) {
      put(y + low + j, take(y + low + j, some) + take(from + j, some), some);
    });
  }
}

// The signals that pieces add up to.
void overlap_all(Threads& threads, const Pieces& p, const float* pieces, float* y) {
  const int64_t samples = p.samples(), length = 4096, sections = (samples + length - 1) / length;
  parallel_ranges(threads, p.rows * sections, 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / sections, from = i % sections * length;
      overlap(p, pieces + row * p.count * p.size, from, std::min(from + length, samples),
              y + row * samples);
    }
  });
}

ffi::Error run_overlap(Threads threads, int64_t stride, Array pieces, Output y) {
  const Pieces p = {pieces.dimensions()[0], pieces.dimensions()[1], pieces.dimensions()[2], stride};
  overlap_all(threads, p, data<float>(pieces), data<float>(y));
  return ffi::Error::Success();
}

ffi::Error run_backward(Threads threads, int64_t stride, float share, Array real, Array imag,
                        Array window, Output y) {
  const Pieces p = {real.dimensions()[0], real.dimensions()[1], window.dimensions()[0], stride};
  const int64_t bins = p.bins();
  const Roots& roots = Roots::of(p.size);
  const float* const weights = data<float>(window);
  static thread_local Scratch all;
  float* const pieces = all.get(p.rows * p.count * p.size);
  for_groups(threads, p, [&](int64_t row, int64_t first, int64_t some) {
    static thread_local Scratch scratch;
    float* const parts = scratch.get(4 * bins * kLanes);
    float* const numbers = parts + 2 * bins * kLanes;
    const int64_t at = (row * p.count + first) * bins;
    pack_turned(data<float>(real) + at, bins, some, bins, parts, kLanes);
    pack_turned(data<float>(imag) + at, bins, some, bins, parts + bins * kLanes, kLanes);
    join(p, roots, share, parts, parts + bins * kLanes, numbers);
    float* const found = transform(p.size / 2, roots, 2, numbers, parts);
    for (int64_t n = 0; n < p.size; n += 2) {
      const Complex pair = load_complex(found + n * kLanes);
      store_complex(found + n * kLanes, {pair.imag * weights[n], pair.real * weights[n + 1]});
    }
    pack_turned(found, kLanes, p.size, some, pieces + (row * p.count + first) * p.size, p.size);
  });
  overlap_all(threads, p, pieces, data<float>(y));
  return ffi::Error::Success();
}

SLIPSTREAM_HANDLER(
    pieces, run_cut,
    ffi::Ffi::Bind().Ctx<Threads>().Attr<int64_t>("stride").Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(
    overlapped, run_overlap,
    ffi::Ffi::Bind().Ctx<Threads>().Attr<int64_t>("stride").Arg<Array>().Ret<Array>());
SLIPSTREAM_HANDLER(spectra, run_forward,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<int64_t>("stride")
                       .Arg<Array>()
                       .Arg<Array>()
                       .Ret<Array>()
                       .Ret<Array>());
SLIPSTREAM_HANDLER(overlapped_spectra, run_backward,
                   ffi::Ffi::Bind()
                       .Ctx<Threads>()
                       .Attr<int64_t>("stride")
                       .Attr<float>("share")
                       .Arg<Array>()
                       .Arg<Array>()
                       .Arg<Array>()
                       .Ret<Array>());

}  // namespace
}  // namespace slipstream
