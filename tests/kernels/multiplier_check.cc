// SPDX-License-Identifier: Apache-2.0
// Holds the integer multipliers against double arithmetic, on scales made to be awkward: multiplier_check COUNT.
// Prints the first differences and ends with 1 if there is one.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "interpreter/quantize.h"

using namespace tinyhil;

namespace {

std::mt19937_64 generator(7);

uint32_t Random(uint32_t below) { return static_cast<uint32_t>(generator() % below); }

// Mantissas at the edges of rounding; exponents usual, near one, or anywhere (subnormals too).
float AwkwardFloat(int range) {
  uint32_t mantissa = 0;
  switch (Random(6)) {
    case 0:
      mantissa = Random(1u << 23);
      break;
    case 1:
      break;
    case 2:
      mantissa = 0x7FFFFF;
      break;
    case 3:
      mantissa = 1u << Random(23);
      break;
    case 4:
      mantissa = 0x7FFFFFu ^ (1u << Random(23));
      break;
    default:
      mantissa = Random(8);
  }
  const uint32_t exponent = range == 0 ? 100 + Random(54) : range == 1 ? Random(255) : 125 + Random(3);
  uint32_t bits = exponent << 23 | mantissa;
  if (bits == 0) bits = 1;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

Multiplier Quantize(double real) {
  int shift;
  const double q = frexp(real, &shift);
  int64_t value = static_cast<int64_t>(round(q * 2147483648.0));
  if (value == int64_t{1} << 31) {
    value /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  return {static_cast<int32_t>(value), shift};
}

Multiplier InDouble(float a, float b, float c) {
  return Quantize(static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(c));
}

bool Same(const Multiplier& a, const Multiplier& b) { return a.value == b.value && a.shift == b.shift; }

// The textbook form of both roundings.
int32_t RequantizeInSteps(int32_t x, int32_t value, int32_t shift) {
  const int32_t up = shift > 0 ? shift : 0, down = shift < 0 ? -shift : 0;
  const int64_t product = static_cast<int64_t>(static_cast<int32_t>(static_cast<uint32_t>(x) << up)) * value;
  const int64_t nudge = product >= 0 ? int64_t{1} << 30 : 1 - (int64_t{1} << 30);
  const int32_t high = static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
  const int64_t mask = (int64_t{1} << down) - 1;
  const int64_t rest = high & mask;
  return (high >> down) + (rest > (mask >> 1) + (high < 0 ? 1 : 0) ? 1 : 0);
}

}  // namespace

int main(int, char** arguments) {
  const long count = atol(arguments[1]);
  long wrong = 0;
  for (long i = 0; i < count; ++i) {
    const int range = static_cast<int>(i % 3);
    const float a = AwkwardFloat(range), b = AwkwardFloat(range), c = AwkwardFloat(range);
    const Multiplier got = MakeMultiplier(a, b, c), want = InDouble(a, b, c);
    if (!Same(got, want) && wrong++ < 5) {
      printf("%a * %a / %a: got %d, %d, want %d, %d\n", static_cast<double>(a), static_cast<double>(b),
             static_cast<double>(c), got.value, got.shift, want.value, want.shift);
    }
    // One quotient for many multipliers, as the convolutions make them.
    const Ratio ratio(a, c);
    for (int k = 0; k < 4; ++k) {
      const float other = k == 0 ? b : AwkwardFloat(range);
      const Multiplier one = ratio.Times(other), alone = InDouble(a, other, c);
      if (!Same(one, alone) && wrong++ < 5) {
        printf("ratio %a / %a times %a: got %d, %d, want %d, %d\n", static_cast<double>(a), static_cast<double>(c),
               static_cast<double>(other), one.value, one.shift, alone.value, alone.shift);
      }
    }
    // Of a float alone, as where scales are divided in float.
    if (!Same(MultiplierOf(a), Quantize(static_cast<double>(a))) && wrong++ < 5) {
      printf("%a: got %d, %d\n", static_cast<double>(a), MultiplierOf(a).value, MultiplierOf(a).shift);
    }
    const int32_t sums[] = {static_cast<int32_t>(generator()), static_cast<int32_t>(generator()) >> Random(31),
                            INT32_MIN + static_cast<int32_t>(Random(3)), INT32_MAX - static_cast<int32_t>(Random(3))};
    for (const int32_t sum : sums) {
      const int32_t value = (1 << 30) + static_cast<int32_t>(Random(1u << 30)),
                    shift = 10 - static_cast<int32_t>(Random(42));
      if (Requantize(sum, value, shift) != RequantizeInSteps(sum, value, shift) && wrong++ < 5) {
        printf("%d by %d, %d: got %d, want %d\n", sum, value, shift, Requantize(sum, value, shift),
               RequantizeInSteps(sum, value, shift));
      }
    }
  }
  printf("%ld wrong of %ld\n", wrong, count);
  return wrong == 0 ? 0 : 1;
}
