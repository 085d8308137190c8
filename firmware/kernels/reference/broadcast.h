// SPDX-License-Identifier: Apache-2.0
// Operators of two tensors: shapes that broadcast, and the loop over them.
//
// Dimensions that advance together are merged when the operator is prepared, so that tensors of one shape are a single
// loop, and a bias along the last dimension two. 68 bytes in an operator's data, no scratch.
#ifndef TINYHIL_KERNELS_REFERENCE_BROADCAST_H_
#define TINYHIL_KERNELS_REFERENCE_BROADCAST_H_

#include <stdint.h>

#include "interpreter/kernel.h"

namespace tinyhil {

struct Broadcast {
  uint32_t rank;  // of the merged dimensions, at least 1; the last is the inner loop
  int32_t dims[Tensor::kMaxRank];
  // How far each input moves along a dimension, in elements. The inner loop's are 0 or 1.
  int32_t step[2][Tensor::kMaxRank];
};

// Fails unless the inputs broadcast to the output's shape.
bool MakeBroadcast(Prepare& op, const Tensor& a, const Tensor& b, const Tensor& output, Broadcast* out);

// Whether both inputs have the output's shape.
inline bool IsFlat(const Broadcast& shape) { return shape.rank == 1 && shape.step[0][0] == 1 && shape.step[1][0] == 1; }

// The same for tensors of `elements` elements each, whatever their shapes.
void MakeFlat(uint32_t elements, Broadcast* out);

// out = f(a, b) for every element. Merged dimensions are few: counters on the stack instead of recursion.
template <typename A, typename B, typename Out, typename Function>
inline void ForEachPair(const Broadcast& shape, const A* a, const B* b, Out* out, Function f) {
  const uint32_t inner = shape.rank - 1;
  const int32_t count = shape.dims[inner], step_a = shape.step[0][inner], step_b = shape.step[1][inner];
  int32_t at[Tensor::kMaxRank] = {};
  for (;;) {
    const A* x = a;
    const B* y = b;
    for (Out* const end = out + count; out != end; x += step_a, y += step_b) *out++ = f(*x, *y);
    uint32_t dim = inner;
    for (;;) {
      if (dim == 0) return;
      --dim;
      a += shape.step[0][dim];
      b += shape.step[1][dim];
      if (++at[dim] != shape.dims[dim]) break;
      a -= at[dim] * shape.step[0][dim];
      b -= at[dim] * shape.step[1][dim];
      at[dim] = 0;
    }
  }
}

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_BROADCAST_H_
