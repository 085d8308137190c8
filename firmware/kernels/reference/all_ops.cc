// SPDX-License-Identifier: Apache-2.0
// Every operator of this kernel set: the table of an image that takes any model.
#include "interpreter/resolver.h"
#include "kernels/ops.h"

namespace tinyhil {

// clang-format off
const OpRegistration* const kOps[] = {
    &kOp_ADD,
    &kOp_ASSIGN_VARIABLE,
    &kOp_AVERAGE_POOL_2D,
    &kOp_CALL_ONCE,
    &kOp_CONV_2D,
    &kOp_DEPTHWISE_CONV_2D,
    &kOp_DEQUANTIZE,
    &kOp_EQUAL,
    &kOp_FULLY_CONNECTED,
    &kOp_GREATER,
    &kOp_GREATER_EQUAL,
    &kOp_LESS,
    &kOp_LESS_EQUAL,
    &kOp_MAXIMUM,
    &kOp_MAX_POOL_2D,
    &kOp_MINIMUM,
    &kOp_MUL,
    &kOp_NOT_EQUAL,
    &kOp_QUANTIZE,
    &kOp_READ_VARIABLE,
    &kOp_RESHAPE,
    &kOp_SOFTMAX,
    &kOp_SUB,
    &kOp_VAR_HANDLE,
};
// clang-format on
const uint32_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);

}  // namespace tinyhil
