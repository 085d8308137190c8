// SPDX-License-Identifier: Apache-2.0
// Fixed-point requantization, bit for bit as TFLite Micro's reference kernels do it.
//
// A real multiplier m is held as value * 2^(shift - 31) with value in [2^30, 2^31). Applying it rounds twice: a
// doubling high multiply that rounds half up, then a right shift that rounds half away from zero.
#ifndef TINYHIL_INTERPRETER_QUANTIZE_H_
#define TINYHIL_INTERPRETER_QUANTIZE_H_

#include <stdint.h>

namespace tinyhil {

struct Multiplier {
  int32_t value;
  int32_t shift;  // -31..: right below 0, left above
};

// The multiplier a * b / c, for positive finite floats. Bit for bit what double arithmetic gives (the product,
// the quotient rounded to 53 bits, then to 31 bits half away from zero), in integers only.
Multiplier MakeMultiplier(float a, float b, float c);

// The same for many b: the division is made once. Where its 39 bits leave the last bit of a multiplier open (one in
// a hundred), that one is divided again.
class Ratio {
 public:
  Ratio(float a, float c);
  Multiplier Times(float b) const;

 private:
  float a_, c_;
  uint64_t quotient_;  // of the mantissas, rounded down, in units of 2^-39
  int32_t exponent_;
};

// The multiplier of one positive finite float: exact, as a float has 24 bits.
Multiplier MultiplierOf(float x);

// The nearest integer to x, halves away from zero; |x| must be below 2^31.
inline int32_t RoundToInt(float x) {
  const int32_t whole = static_cast<int32_t>(x);
  const float rest = x - static_cast<float>(whole);
  return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

// round(a * b / 2^31), halves up. Saturates the one case that overflows, both at -2^31.
inline int32_t DoublingHighMul(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + (int64_t{1} << 30)) >> 31);
}

// The same where b is known to be no multiplier of -2^31.
inline int32_t DoublingHighMulPositive(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + (int64_t{1} << 30)) >> 31);
}

// x / 2^exponent, halves away from zero; 0 <= exponent <= 31. x is not INT32_MIN.
inline int32_t RoundingShiftRight(int32_t x, int32_t exponent) {
  if (exponent == 0) return x;
  const int32_t y = x + (x >> 31);
  return ((y >> (exponent - 1)) + 1) >> 1;
}

inline int32_t ShiftLeft(int32_t x, int32_t by) { return static_cast<int32_t>(static_cast<uint32_t>(x) << by); }

// x times the multiplier.
inline int32_t Requantize(int32_t x, int32_t value, int32_t shift) {
  if (shift >= 0) return DoublingHighMulPositive(ShiftLeft(x, shift), value);
  return RoundingShiftRight(DoublingHighMulPositive(x, value), -shift);
}

// a + b, which may wrap where a multiplier left no room for a zero point.
inline int32_t AddWrapping(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

inline int32_t Clamp(int32_t x, int32_t low, int32_t high) {
  if (x < low) x = low;
  return x > high ? high : x;
}

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_QUANTIZE_H_
