// SPDX-License-Identifier: Apache-2.0
// Every operator of this kernel set: the table of an image that takes any model.
#include "interpreter/resolver.h"
#include "kernels/ops.h"

namespace tinyhil {

// clang-format off: one a line
const OpRegistration* const kOps[] = {
    &kOp_ADD,
    &kOp_AVERAGE_POOL_2D,
    &kOp_CONV_2D,
    &kOp_DEPTHWISE_CONV_2D,
    &kOp_DEQUANTIZE,
    &kOp_FULLY_CONNECTED,
    &kOp_MAX_POOL_2D,
    &kOp_QUANTIZE,
    &kOp_RESHAPE,
    &kOp_SOFTMAX,
};
// clang-format on
const uint32_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);

}  // namespace tinyhil
