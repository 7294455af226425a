// The discrete Fourier transform of several sequences at once, one in each lane of a vector.
//
// Stockham's form: each pass takes one factor out of the length and leaves what it finds where the
// next one reads in order, so that nothing is put in its place afterwards.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "vector.h"

namespace slipstream {

struct Complex {
  Wide real, imag;

  SLIPSTREAM_INLINE Complex operator+(const Complex& b) const {
    return {real + b.real, imag + b.imag};
  }
  SLIPSTREAM_INLINE Complex operator-(const Complex& b) const {
    return {real - b.real, imag - b.imag};
  }
  SLIPSTREAM_INLINE Complex operator*(float share) const { return {real * share, imag * share}; }
  SLIPSTREAM_INLINE Complex conjugate() const { return {real, -imag}; }
  SLIPSTREAM_INLINE Complex times_i() const { return {-imag, real}; }
  SLIPSTREAM_INLINE Complex turned(float cosine, float sine) const {
    return {real * cosine - imag * sine, real * sine + imag * cosine};
  }
};

SLIPSTREAM_INLINE Complex load_complex(const float* from) {
  return {load<Wide>(from), load<Wide>(from + kLanes)};
}
SLIPSTREAM_INLINE void store_complex(float* to, const Complex& v) {
  store(to, v.real);
  store(to + kLanes, v.imag);
}

// e^(-2 pi i k / length) for k in [0, length).
struct Roots {
  std::vector<float> cosine, sine;

  explicit Roots(int64_t length) : cosine(length), sine(length) {
    const double turn = -2.0 * std::acos(-1.0) / static_cast<double>(length);
    for (int64_t k = 0; k < length; ++k) {
      cosine[k] = static_cast<float>(std::cos(turn * static_cast<double>(k)));
      sine[k] = static_cast<float>(std::sin(turn * static_cast<double>(k)));
    }
  }

  // Those of a length stay from its first use on.
  static const Roots& of(int64_t length) {
    static std::mutex& mutex = *new std::mutex;
    static auto& all = *new std::map<int64_t, std::unique_ptr<Roots>>;
    std::lock_guard<std::mutex> lock(mutex);
    auto& found = all[length];
    if (!found) found = std::make_unique<Roots>(length);
    return *found;
  }
};

// The transform of 2, 3, 4 or 5 numbers, in place.
template <int P>
SLIPSTREAM_INLINE void transform_few(Complex (&a)[P]) {
  if constexpr (P == 2) {
    const Complex sum = a[0] + a[1];
    a[1] = a[0] - a[1];
    a[0] = sum;
  } else if constexpr (P == 4) {
    const Complex even = a[0] + a[2], less = a[0] - a[2];
    const Complex odd = a[1] + a[3], turned = (a[1] - a[3]).times_i();
    a[0] = even + odd;
    a[1] = less - turned;
    a[2] = even - odd;
    a[3] = less + turned;
  } else {  // an odd prime: numbers k and P - k share their products
    constexpr double turn = 6.283185307179586 / P;
    Complex sums[P / 2 + 1], differences[P / 2 + 1];
    Complex all = a[0];
    for (int k = 1; k <= P / 2; ++k) {
      sums[k] = a[k] + a[P - k];
      differences[k] = (a[k] - a[P - k]).times_i();
      all = all + sums[k];
    }
    const Complex first = a[0];
    for (int j = 1; j <= P / 2; ++j) {
      Complex even = first, odd = {};
      for (int k = 1; k <= P / 2; ++k) {
        even = even + sums[k] * static_cast<float>(__builtin_cos(turn * (j * k % P)));
        odd = odd + differences[k] * static_cast<float>(__builtin_sin(turn * (j * k % P)));
      }
      a[j] = even - odd;
      a[P - j] = even + odd;
    }
    a[0] = all;
  }
}

// One pass: `length` is what is left of the length, `step` the product of the factors taken out.
template <int P>
void transform_pass(int64_t length, int64_t step, const Roots& roots, int64_t root_step,
                    const float* from, float* to) {
  constexpr int64_t wide = 2 * kLanes;
  const int64_t parts = length / P;
  for (int64_t j = 0; j < parts; ++j) {
    float cosine[P], sine[P];
    for (int k = 0; k < P; ++k) {
      cosine[k] = roots.cosine[j * k * step * root_step];
      sine[k] = roots.sine[j * k * step * root_step];
    }
    for (int64_t q = 0; q < step; ++q) {
      Complex a[P];
      for (int k = 0; k < P; ++k) a[k] = load_complex(from + (q + step * (j + parts * k)) * wide);
      transform_few(a);
      float* const at = to + (q + step * P * j) * wide;
      store_complex(at, a[0]);
      for (int k = 1; k < P; ++k)
        store_complex(at + step * k * wide, a[k].turned(cosine[k], sine[k]));
    }
  }
}


// The transform of `length` complex numbers in each lane. `roots` are those of a multiple of the
// length, by `root_step`. Gives the one of the two arrays that holds the result.
inline float* transform(int64_t length, const Roots& roots, int64_t root_step, float* numbers,
                        float* spare) {
  for (int64_t left = length, step = 1; left > 1;) {
    const int64_t factor = left % 4 == 0 ? 4 : left % 2 == 0 ? 2 : left % 3 == 0 ? 3 : 5;
    const auto pass = factor == 4   ? transform_pass<4>
                      : factor == 2 ? transform_pass<2>
                      : factor == 3 ? transform_pass<3>
                                    : transform_pass<5>;
    pass(left, step, roots, root_step, numbers, spare);
    std::swap(numbers, spare);
    left /= factor;
    step *= factor;
  }
  return numbers;
}

}  // namespace slipstream
