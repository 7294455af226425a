// Vectors of floats, as wide as the instruction set this file is compiled for.
//
// Written in the compilers' vector extensions, so one source serves AVX-512, AVX2, NEON and SSE.
#pragma once

#include <cstdint>
#include <cstring>

namespace slipstream {

#define SLIPSTREAM_INLINE inline __attribute__((always_inline))

// Before a loop over an array of vectors: only where each place is a constant from the start does
// the compiler keep the whole array in registers, from the first loop over it to the last.
#define SLIPSTREAM_UNROLL _Pragma("GCC unroll 16")

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
inline constexpr int kRegisters = 16;
#elif defined(__aarch64__)
inline constexpr int kLanes = 4;
inline constexpr int kRegisters = 32;
#else
inline constexpr int kLanes = 4;
inline constexpr int kRegisters = 16;
#endif

template <int N>
struct VectorOf {
  typedef float Float __attribute__((vector_size(4 * N)));
  typedef int32_t Int __attribute__((vector_size(4 * N)));
  typedef uint32_t Bits __attribute__((vector_size(4 * N)));
  typedef uint16_t Half __attribute__((vector_size(2 * N)));
};

template <int N>
using Vector = typename VectorOf<N>::Float;
using Wide = Vector<kLanes>;

// The upper half of a float; arithmetic is done in floats.
struct BFloat16 {
  uint16_t bits;
};

template <class V>
inline constexpr int kSize = sizeof(V) / sizeof(float);

template <class V>
SLIPSTREAM_INLINE V splat(float value) {
  V v;
  for (int i = 0; i < kSize<V>; ++i) v[i] = value;
  return v;
}

template <class V>
SLIPSTREAM_INLINE V load(const float* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
SLIPSTREAM_INLINE void store(float* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

template <class V>
SLIPSTREAM_INLINE V load(const BFloat16* from) {
  typedef VectorOf<kSize<V>> Of;
  typename Of::Half half;
  std::memcpy(&half, from, sizeof half);
  typename Of::Bits bits = __builtin_convertvector(half, typename Of::Bits) << 16;
  V v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

// Rounds to the nearest, ties to even; a NaN stays one.
template <class V>
SLIPSTREAM_INLINE void store(BFloat16* to, V v) {
  typedef VectorOf<kSize<V>> Of;
  typename Of::Bits bits;
  std::memcpy(&bits, &v, sizeof bits);
  typename Of::Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  rounded = v == v ? rounded : (bits >> 16) | 0x40u;
  typename Of::Half half = __builtin_convertvector(rounded, typename Of::Half);
  std::memcpy(to, &half, sizeof half);
}

SLIPSTREAM_INLINE float to_float(float value) { return value; }
SLIPSTREAM_INLINE float to_float(BFloat16 value) {
  uint32_t bits = uint32_t{value.bits} << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

template <class T>
SLIPSTREAM_INLINE T from_float(float value);
template <>
SLIPSTREAM_INLINE float from_float<float>(float value) {
  return value;
}
template <>
SLIPSTREAM_INLINE BFloat16 from_float<BFloat16>(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  uint32_t rounded = value == value ? (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16
                                    : (bits >> 16) | 0x40u;
  return BFloat16{static_cast<uint16_t>(rounded)};
}

// GCC makes masked loads and stores of a loop that it has not unrolled before.
#if defined(__GNUC__) && !defined(__clang__)
#define SLIPSTREAM_ROLLED _Pragma("GCC unroll 1")
#else
#define SLIPSTREAM_ROLLED
#endif

// The first `count` numbers; the lanes after them are `rest`.
template <class V, class T>
SLIPSTREAM_INLINE V load_first(const T* from, int64_t count, float rest = 0.0f) {
  float lanes[kSize<V>];
  const int some = static_cast<int>(count);
  SLIPSTREAM_ROLLED
  for (int i = 0; i < kSize<V>; ++i) lanes[i] = i < some ? to_float(from[i]) : rest;
  return load<V>(lanes);
}

template <class V, class T>
SLIPSTREAM_INLINE void store_first(T* to, V v, int64_t count) {
  T lanes[kSize<V>];
  store(lanes, v);
  const int some = static_cast<int>(count);
  SLIPSTREAM_ROLLED
  for (int i = 0; i < kSize<V>; ++i)
    if (i < some) to[i] = lanes[i];
}

template <class V>
SLIPSTREAM_INLINE V maximum(V a, V b) {
  return a > b ? a : b;
}

template <class V>
SLIPSTREAM_INLINE V minimum(V a, V b) {
  return a < b ? a : b;
}

// All lanes joined into one, halves by halves.
template <class V, class Join>
SLIPSTREAM_INLINE float reduce(V v, const Join& join) {
  if constexpr (kSize<V> == 2) {
    return join(v[0], v[1]);
  } else {
    Vector<kSize<V> / 2> halves[2];
    std::memcpy(halves, &v, sizeof v);
    return reduce(join(halves[0], halves[1]), join);
  }
}

template <class V>
SLIPSTREAM_INLINE float sum(V v) {
  return reduce(v, [](auto a, auto b) { return a + b; });
}

template <class V>
SLIPSTREAM_INLINE float largest(V v) {
  return reduce(v, [](auto a, auto b) { return a > b ? a : b; });
}

template <class V>
SLIPSTREAM_INLINE V magnitude(V x) {
  typename VectorOf<kSize<V>>::Int bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= 0x7fffffff;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// e^x = scale + scale * less to a unit or two in the last place: 2^n times a polynomial on
// [-ln(2)/2, ln(2)/2], its coefficients those of Cephes' expf. NaN makes `less` NaN.
template <class V>
struct Exponential {
  V scale, less;

  // x from -87.3 to 88.3
  SLIPSTREAM_INLINE static Exponential within(V x) {
    typedef typename VectorOf<kSize<V>>::Bits Bits;
    // Adding 1.5 * 2^23 rounds to a whole number n; 127 more leave n + 127 in the lowest bits.
    const V magic = splat<V>(12582912.0f + 127.0f);
    const V shifted = x * 1.44269504f + magic, whole = shifted - magic;
    const V rest = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    V y = rest * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * rest + 8.3334519073e-3f;
    y = y * rest + 4.1665795894e-2f;
    y = y * rest + 1.6666665459e-1f;
    y = y * rest + 5.0000001201e-1f;
    y = y * (rest * rest) + rest;
    Bits power;
    std::memcpy(&power, &shifted, sizeof power);
    power <<= 23;
    V scale;
    std::memcpy(&scale, &power, sizeof scale);
    return {scale, y};
  }
  SLIPSTREAM_INLINE V value() const { return less * scale + scale; }
  SLIPSTREAM_INLINE V less_one() const { return less * scale + (scale - 1.0f); }
};

// Bounds of x, NaN for NaN.
template <class V>
SLIPSTREAM_INLINE V no_less(V x, float least) {
  return maximum(splat<V>(least), x);
}
template <class V>
SLIPSTREAM_INLINE V no_more(V x, float most) {
  return minimum(splat<V>(most), x);
}

// e^x for x up to 88.3; 0 below -87.3.
template <class V>
SLIPSTREAM_INLINE V exponential(V x) {
  const V y = Exponential<V>::within(no_less(x, -87.3f)).value();
  return x < -87.3f ? V{} : y;
}

// e^x - 1 with all digits near 0 too, x bounded to where it is a float.
template <class V>
SLIPSTREAM_INLINE V exponential_less_one(V x) {
  return Exponential<V>::within(no_more(no_less(x, -87.3f), 88.3f)).less_one();
}

template <class V>
SLIPSTREAM_INLINE V sigmoid(V x) {
  const V odds = Exponential<V>::within(no_more(no_less(-x, -87.3f), 88.3f)).value();
  return 1.0f / (1.0f + odds);
}

// 1 - 2 / (e^2x + 1), exact to rounding where the slope is the small rest of it from 1, and its
// series near 0, where the difference would lose digits.
template <class V>
SLIPSTREAM_INLINE V hyperbolic_tangent(V x) {
  const V square = x * x, doubled = no_more(no_less(x + x, -87.3f), 88.3f);
  const V far = 1.0f - 2.0f / (Exponential<V>::within(doubled).value() + 1.0f);
  V near = square * -5.3968254e-2f + 1.3333333e-1f;
  near = near * square - 3.3333333e-1f;
  near = near * square * x + x;
  return square < 0.04f ? near : far;
}

}  // namespace slipstream
