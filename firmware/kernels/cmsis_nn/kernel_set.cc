// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops.h"

namespace tinyhil {

const char kKernelSet[] = "cmsis_nn";

}  // namespace tinyhil
