// SPDX-License-Identifier: Apache-2.0
// MUL, as every kernel set checks it.
#ifndef TINYHIL_KERNELS_REFERENCE_MUL_H_
#define TINYHIL_KERNELS_REFERENCE_MUL_H_

#include "kernels/reference/broadcast.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct MulData {
  TensorType type;
  Broadcast shape;
  // int8 and int16
  int32_t zero_point[2];
  Multiplier multiplier;
  int32_t output_zero_point;
  Range range;  // of int32 too
  FloatRange float_range;
};

// Checks all and fills `data`; takes no memory.
bool CheckMul(Prepare& op, MulData* data);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_MUL_H_
