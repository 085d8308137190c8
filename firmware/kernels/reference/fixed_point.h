// SPDX-License-Identifier: Apache-2.0
// exp and reciprocals in fixed point, bit for bit as the oracle's kernels compute them. Qm.n is a signed 32-bit number
// with m integer and n fraction bits.
//
// exp is a polynomial on [-1/4, 0) times powers of e; a reciprocal takes three Newton steps.
#ifndef TINYHIL_KERNELS_REFERENCE_FIXED_POINT_H_
#define TINYHIL_KERNELS_REFERENCE_FIXED_POINT_H_

#include <stdint.h>

#include "interpreter/quantize.h"

namespace tinyhil {

// x times 2^exponent, saturating.
inline int32_t SaturatingShiftLeft(int32_t x, int32_t exponent) {
  const int32_t limit = INT32_MAX >> exponent;
  if (x > limit) return INT32_MAX;
  if (x < -limit - 1) return INT32_MIN;
  return ShiftLeft(x, exponent);
}

inline int32_t SubtractWrapping(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}

// exp(x), Q0.31, for x in [-1/4, 0), Q0.31: the Taylor series about -1/8, to the fourth power.
inline int32_t ExpNearZero(int32_t x) {
  constexpr int32_t kExpOfMinusEighth = 1895147668, kThird = 715827883;
  const int32_t y = x + (1 << 28);
  const int32_t y2 = DoublingHighMul(y, y);
  const int32_t y3 = DoublingHighMul(y2, y);
  const int32_t y4 = DoublingHighMul(y2, y2);
  const int32_t tail =
      RoundingShiftRight(AddWrapping(DoublingHighMul(AddWrapping(RoundingShiftRight(y4, 2), y3), kThird), y2), 1);
  return AddWrapping(kExpOfMinusEighth, DoublingHighMul(kExpOfMinusEighth, AddWrapping(y, tail)));
}

// exp(x), Q0.31, for x <= 0 with so many integer bits, at most 5. Of 4 integer bits x is above -16.
template <int32_t kIntegerBits>
inline int32_t ExpOfNegative(int32_t x) {
  constexpr int32_t kFraction = 31 - kIntegerBits, kQuarter = 1 << (kFraction - 2);
  // exp of -1/4, -1/2, -1, -2, -4, -8, -16
  static constexpr int32_t kPowers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  if (x == 0) return INT32_MAX;
  const int32_t within = (x & (kQuarter - 1)) - kQuarter;
  int32_t result = ExpNearZero(SaturatingShiftLeft(within, kIntegerBits));
  const int32_t quarters = SubtractWrapping(within, x) >> (kFraction - 2);
  for (uint32_t bit = 0; bit < sizeof(kPowers) / sizeof(kPowers[0]); ++bit) {
    if ((quarters >> bit & 1) != 0) result = DoublingHighMul(result, kPowers[bit]);
  }
  return result;
}

// 2 / (1 + x), Q2.29, for x in [0, 1), Q0.31: Newton-Raphson.
inline int32_t TwiceReciprocalOfOnePlus(int32_t x) {
  constexpr int32_t k48Over17 = 1515870810, kMinus32Over17 = -1010580540, kOne = 1 << 29;
  const int32_t half = static_cast<int32_t>((int64_t{x} + INT32_MAX + 1) / 2);
  int32_t y = AddWrapping(k48Over17, DoublingHighMul(half, kMinus32Over17));
  for (int32_t step = 0; step < 3; ++step) {
    const int32_t error = SubtractWrapping(kOne, DoublingHighMul(half, y));
    y = AddWrapping(y, SaturatingShiftLeft(DoublingHighMul(y, error), 2));
  }
  return y;
}

// 1 / (1 + x), Q0.31, for x in [0, 1), Q0.31.
inline int32_t ReciprocalOfOnePlus(int32_t x) { return SaturatingShiftLeft(TwiceReciprocalOfOnePlus(x), 1); }

// (1 - x) / (1 + x), Q0.31, for x in [0, 1), Q0.31.
inline int32_t OneMinusOverOnePlus(int32_t x) {
  return SaturatingShiftLeft(SubtractWrapping(TwiceReciprocalOfOnePlus(x), 1 << 29), 2);
}

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_FIXED_POINT_H_
