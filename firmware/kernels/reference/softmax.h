// SPDX-License-Identifier: Apache-2.0
// SOFTMAX, as every kernel set checks it.
#ifndef TINYHIL_KERNELS_REFERENCE_SOFTMAX_H_
#define TINYHIL_KERNELS_REFERENCE_SOFTMAX_H_

#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct SoftmaxData {
  int32_t rows;
  int32_t depth;
  Multiplier multiplier;      // from a difference of inputs to Q5.26
  int32_t lowest_difference;  // below it exp is 0
};

// Checks all and fills `data`; takes no memory.
bool CheckSoftmax(Prepare& op, SoftmaxData* data);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_SOFTMAX_H_
