// SPDX-License-Identifier: Apache-2.0
// What operators that move values and compute none have in common.
#ifndef TINYHIL_KERNELS_REFERENCE_MOVE_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_MOVE_COMMON_H_

#include <stdint.h>

#include "interpreter/kernel.h"

namespace tinyhil {

constexpr uint32_t Types() { return 0; }
template <typename... More>
constexpr uint32_t Types(TensorType type, More... more) {
  return 1u << static_cast<uint32_t>(type) | Types(more...);
}

// Fails unless both have the same type, which is one of `types`.
bool ExpectTypes(Prepare& op, const Tensor& input, const Tensor& output, uint32_t types);

// A constant int32 vector in input `input`, `count` long.
bool ReadInts(Prepare& op, uint32_t input, const char* field, uint32_t count, const int32_t** out);

// An axis of a tensor of this rank; negative ones count from the end.
bool ReadAxis(Prepare& op, const char* field, int32_t axis, uint32_t rank, uint32_t* out);

// The product of dimensions [first, last).
uint32_t Elements(const Tensor& tensor, uint32_t first, uint32_t last);

// The output's values, one after the other, lie in the input at regular steps along up to six dimensions.
struct StridedCopy {
  uint32_t rank;
  uint32_t element_bytes;
  uint32_t run_bytes;  // that lie together
  int32_t start;       // bytes into the input
  int32_t dims[Tensor::kMaxRank];
  int32_t steps[Tensor::kMaxRank];  // bytes
};

// Takes steps in elements; joins dimensions that lie together and drops those of 1, so that the runs are the longest.
void Simplify(uint32_t element_bytes, StridedCopy* copy);
void Copy(const StridedCopy& copy, const uint8_t* in, uint8_t* out);

// One tensor whose pieces along an axis are tensors of their own.
struct Pieces {
  uint32_t outer;  // how often the pieces follow each other
  uint32_t count;
  uint32_t bytes[];  // of each piece, once
};
// In persistent memory; null after a failure. Takes the place of Data().
Pieces* MakePieces(Prepare& op, uint32_t outer, uint32_t count);

// Copies a row without a call for what is short.
inline void CopyBytes(uint8_t* out, const uint8_t* in, uint32_t count) {
  if (count >= 8) {
    __builtin_memcpy(out, in, count);
  } else {
    for (; count != 0; --count) *out++ = *in++;
  }
}

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_MOVE_COMMON_H_
