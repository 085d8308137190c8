// SPDX-License-Identifier: Apache-2.0
// ADD, as every kernel set checks it.
#ifndef TINYHIL_KERNELS_REFERENCE_ADD_H_
#define TINYHIL_KERNELS_REFERENCE_ADD_H_

#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct AddData {
  static constexpr int32_t kHeadroom = 20;  // bits that inputs are shifted left by

  int32_t zero_point[2];
  Multiplier multiplier[2];
  Multiplier sum;
  int32_t output_zero_point;
  Range range;
  uint32_t elements;  // where both inputs have the output's shape; else 0
  // Broadcasting: the output's dimensions, aligned to the last, and each input's step along them (0: repeated).
  int32_t dims[Tensor::kMaxRank];
  int32_t step[2][Tensor::kMaxRank];
};

// Checks all and fills `data`; takes no memory.
bool CheckAdd(Prepare& op, AddData* data);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_ADD_H_
