// SPDX-License-Identifier: Apache-2.0
// Every operator of this kernel set: the table of an image that takes any model.
#include "interpreter/resolver.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {

const OpRegistration* const kOps[] = {
    &kCmsisNnOp_ADD, &kCmsisNnOp_AVERAGE_POOL_2D, &kCmsisNnOp_CONV_2D,     &kCmsisNnOp_DEPTHWISE_CONV_2D,
    &kOp_DEQUANTIZE, &kCmsisNnOp_FULLY_CONNECTED, &kCmsisNnOp_MAX_POOL_2D, &kOp_QUANTIZE,
    &kOp_RESHAPE,    &kCmsisNnOp_SOFTMAX,
};
const uint32_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);

}  // namespace tinyhil
