// SPDX-License-Identifier: Apache-2.0
// The inner loops of the convolutions and fully connected layers.
//
// Sums are unsigned, so that they wrap as the oracle's do instead of being undefined.
#ifndef TINYHIL_KERNELS_REFERENCE_DOT_H_
#define TINYHIL_KERNELS_REFERENCE_DOT_H_

#include <stdint.h>

namespace tinyhil {

// Stops the compiler from splitting a sum into several partial ones: on a core with 13 usable registers those end
// up on the stack, at more than twice the instructions.
inline void KeepWhole(uint32_t& sum) { __asm__("" : "+r"(sum)); }

inline void Accumulate(uint32_t& sum, int32_t a, int32_t b) {
  sum += static_cast<uint32_t>(a * b);
  KeepWhole(sum);
}

struct FourSums {
  uint32_t s[4];
};

// Two rows of inputs, interleaved, with two rows of weights: s[0] = p0.w0, s[1] = p0.w1, s[2] = p1.w0, s[3] = p1.w1.
// 8.6 instructions for four products on Armv7-M and later.
FourSums DotTwoByTwo(const int16_t* pairs, const int8_t* w0, const int8_t* w1, int32_t size);

// One row of inputs, less `zero_point`, with four rows of weights that follow each other.
// 11.5 instructions for four products on Armv7-M and later.
FourSums DotOneByFour(const int8_t* in, int32_t zero_point, const int8_t* weights, int32_t size);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_DOT_H_
