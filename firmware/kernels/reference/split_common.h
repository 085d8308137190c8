// SPDX-License-Identifier: Apache-2.0
// SPLIT and SPLIT_V: a tensor cut along an axis.
#ifndef TINYHIL_KERNELS_REFERENCE_SPLIT_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_SPLIT_COMMON_H_

#include "interpreter/kernel.h"

namespace tinyhil {

// `input` is the place of the tensor among the inputs, `axis` that of the axis.
bool PrepareSplit(Prepare& op, uint32_t input, uint32_t axis, bool even);
void EvalSplit(const Eval& op, uint32_t input);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_SPLIT_COMMON_H_
