// SPDX-License-Identifier: Apache-2.0
// Every operator of this kernel set: the table of an image that takes any model.
#include "interpreter/resolver.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {

// clang-format off
const OpRegistration* const kOps[] = {
    &kCmsisNnOp_ADD,
    &kCmsisNnOp_AVERAGE_POOL_2D,
    &kCmsisNnOp_CONV_2D,
    &kCmsisNnOp_DEPTHWISE_CONV_2D,
    &kOp_DEQUANTIZE,
    &kOp_EQUAL,
    &kCmsisNnOp_FULLY_CONNECTED,
    &kOp_GREATER,
    &kOp_GREATER_EQUAL,
    &kOp_LESS,
    &kOp_LESS_EQUAL,
    &kOp_MAXIMUM,
    &kCmsisNnOp_MAX_POOL_2D,
    &kOp_MINIMUM,
    &kOp_MUL,
    &kOp_NOT_EQUAL,
    &kOp_QUANTIZE,
    &kOp_RESHAPE,
    &kCmsisNnOp_SOFTMAX,
    &kOp_SUB,
};
// clang-format on
const uint32_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);

}  // namespace tinyhil
