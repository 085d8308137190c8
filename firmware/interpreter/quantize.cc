// SPDX-License-Identifier: Apache-2.0
#include "interpreter/quantize.h"

namespace tinyhil {
namespace {

// A positive finite float as mantissa * 2^exponent, mantissa in [2^23, 2^24).
struct Parts {
  uint32_t mantissa;
  int32_t exponent;
};

Parts Split(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  Parts parts = {bits & 0x7FFFFFu, static_cast<int32_t>(bits >> 23) - 150};
  if (bits >> 23 != 0) {
    parts.mantissa |= 0x800000u;
  } else {  // subnormal
    const int32_t up = __builtin_clz(parts.mantissa) - 8;
    parts.mantissa <<= up;
    parts.exponent = -149 - up;
  }
  return parts;
}

}  // namespace

Multiplier MultiplierOf(float x) {
  const Parts parts = Split(x);
  const int32_t shift = parts.exponent + 24;
  if (shift < -31) return {0, 0};
  return {static_cast<int32_t>(parts.mantissa << 7), shift};
}

Ratio::Ratio(float a, float c) : a_(a), c_(c) {
  const Parts pa = Split(a), pc = Split(c);
  // Long division in base 256, and the last 7 bits.
  uint32_t rest = pa.mantissa;
  quotient_ = rest >= pc.mantissa ? 1 : 0;
  if (rest >= pc.mantissa) rest -= pc.mantissa;
  for (uint32_t step = 0; step < 5; ++step) {
    const uint32_t bits = step < 4 ? 8 : 7;
    rest <<= bits;
    quotient_ = quotient_ << bits | rest / pc.mantissa;
    rest %= pc.mantissa;
  }
  exponent_ = pa.exponent - pc.exponent - 39;
}

Multiplier Ratio::Times(float b) const {
  const Parts pb = Split(b);
  const uint64_t product = quotient_ * pb.mantissa;  // 62 to 64 bits, less than 2^24 too low
  const int32_t bits = 64 - __builtin_clzll(product);
  const int32_t drop = bits - 31;
  const uint64_t low = product & ((uint64_t{1} << drop) - 1), half = uint64_t{1} << (drop - 1);
  uint64_t value = product >> drop;
  if (low >= half) {
    ++value;
  } else if (low + (1u << 25) >= half) {
    return MakeMultiplier(a_, b, c_);
  }
  int32_t shift = exponent_ + pb.exponent + bits;
  if (value == uint64_t{1} << 31) {
    value >>= 1;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  return {static_cast<int32_t>(value), shift};
}

Multiplier MakeMultiplier(float a, float b, float c) {
  const Parts pa = Split(a), pb = Split(b), pc = Split(c);
  const uint64_t product = static_cast<uint64_t>(pa.mantissa) * pb.mantissa;  // 47 or 48 bits, exact in a double
  const uint32_t divisor = pc.mantissa;

  // Long division in base 256. 24 bits of the product first, then its other three bytes, then four bytes of
  // zeros: a quotient of 54 to 57 bits and a remainder, exact.
  uint32_t rest = static_cast<uint32_t>(product >> 24);
  uint64_t quotient = rest >= divisor ? 1 : 0;
  if (rest >= divisor) rest -= divisor;
  const uint32_t low = static_cast<uint32_t>(product) << 8;
  for (uint32_t step = 0; step < 7; ++step) {
    const uint32_t digit = step < 3 ? (low >> (24 - 8 * step)) & 0xFFu : 0;
    rest = rest << 8 | digit;
    quotient = quotient << 8 | rest / divisor;
    rest %= divisor;
  }
  const int32_t exponent = pa.exponent + pb.exponent - pc.exponent - 32;

  // To 53 bits, ties to even, as a double holds it.
  const int32_t bits = 64 - __builtin_clzll(quotient);
  const int32_t drop = bits - 53;  // 1 to 4
  const uint64_t dropped = quotient & ((uint64_t{1} << drop) - 1);
  const uint64_t half = uint64_t{1} << (drop - 1);
  uint64_t mantissa = quotient >> drop;
  if (dropped > half || (dropped == half && (rest != 0 || (mantissa & 1) != 0))) ++mantissa;

  // To 31 bits, halves away from zero. A carry out of the top leaves 2^31.
  uint64_t value = (mantissa + (uint64_t{1} << 21)) >> 22;
  int32_t shift = exponent + bits;
  if (value == uint64_t{1} << 31) {
    value >>= 1;
    ++shift;
  }
  // Below 2^-32 every product rounds to nothing.
  if (shift < -31) return {0, 0};
  return {static_cast<int32_t>(value), shift};
}

}  // namespace tinyhil
