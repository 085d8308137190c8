// SPDX-License-Identifier: Apache-2.0
// PAD and PADV2 differ in where the value comes from, and either has it both ways.
#ifndef TINYHIL_KERNELS_REFERENCE_PAD_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_PAD_COMMON_H_

#include "interpreter/kernel.h"

namespace tinyhil {

bool PreparePad(Prepare& op);
void EvalPad(const Eval& op);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_PAD_COMMON_H_
