// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/dot.h"

namespace tinyhil {

FourSums DotTwoByTwo(const int16_t* pairs, const int8_t* w0, const int8_t* w1, int32_t size) {
  uint32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
  const auto step = [&](int32_t k) {
    const int32_t u = w0[k], v = w1[k], a = pairs[2 * k], b = pairs[2 * k + 1];
    Accumulate(s00, a, u);
    Accumulate(s01, a, v);
    Accumulate(s10, b, u);
    Accumulate(s11, b, v);
  };
  const int8_t* const end = w0 + size;
  const int8_t* const end8 = w0 + (size & ~7);
  while (w0 != end8) {
    step(0);
    step(1);
    step(2);
    step(3);
    step(4);
    step(5);
    step(6);
    step(7);
    w0 += 8;
    w1 += 8;
    pairs += 16;
  }
  while (w0 != end) {
    step(0);
    ++w0;
    ++w1;
    pairs += 2;
  }
  return {{s00, s01, s10, s11}};
}

FourSums DotOneByFour(const int8_t* in, int32_t zero_point, const int8_t* weights, int32_t size) {
  uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const int8_t* w0 = weights;
  const int8_t* w1 = w0 + size;
  const int8_t* w2 = w1 + size;
  const int8_t* w3 = w2 + size;
  const auto step = [&](int32_t k) {
    const int32_t a = in[k] - zero_point;
    Accumulate(s0, a, w0[k]);
    Accumulate(s1, a, w1[k]);
    Accumulate(s2, a, w2[k]);
    Accumulate(s3, a, w3[k]);
  };
  const int8_t* const end = in + size;
  const int8_t* const end4 = in + (size & ~3);
  while (in != end4) {
    step(0);
    step(1);
    step(2);
    step(3);
    in += 4;
    w0 += 4;
    w1 += 4;
    w2 += 4;
    w3 += 4;
  }
  while (in != end) {
    step(0);
    ++in;
    ++w0;
    ++w1;
    ++w2;
    ++w3;
  }
  return {{s0, s1, s2, s3}};
}

}  // namespace tinyhil
