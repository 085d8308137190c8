// SPDX-License-Identifier: Apache-2.0
// Every operator of this kernel set: the table of an image that takes any model.
#include "interpreter/resolver.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {

// clang-format off
const OpRegistration* const kOps[] = {
    &kOp_ABS,
    &kCmsisNnOp_ADD,
    &kOp_ARG_MAX,
    &kOp_ARG_MIN,
    &kOp_ASSIGN_VARIABLE,
    &kCmsisNnOp_AVERAGE_POOL_2D,
    &kOp_BATCH_MATMUL,
    &kOp_BATCH_TO_SPACE_ND,
    &kOp_CALL_ONCE,
    &kOp_CONCATENATION,
    &kCmsisNnOp_CONV_2D,
    &kCmsisNnOp_DEPTHWISE_CONV_2D,
    &kOp_DEPTH_TO_SPACE,
    &kOp_DEQUANTIZE,
    &kOp_ELU,
    &kOp_EQUAL,
    &kOp_EXPAND_DIMS,
    &kCmsisNnOp_FULLY_CONNECTED,
    &kOp_GATHER,
    &kOp_GREATER,
    &kOp_GREATER_EQUAL,
    &kOp_HARD_SWISH,
    &kOp_LEAKY_RELU,
    &kOp_LESS,
    &kOp_LESS_EQUAL,
    &kOp_LOGISTIC,
    &kCmsisNnOp_MAXIMUM,
    &kCmsisNnOp_MAX_POOL_2D,
    &kOp_MEAN,
    &kCmsisNnOp_MINIMUM,
    &kCmsisNnOp_MUL,
    &kOp_NEG,
    &kOp_NOT_EQUAL,
    &kOp_PACK,
    &kOp_PAD,
    &kOp_PADV2,
    &kOp_PRELU,
    &kOp_QUANTIZE,
    &kOp_READ_VARIABLE,
    &kOp_REDUCE_MAX,
    &kOp_RELU,
    &kOp_RELU6,
    &kOp_RELU_N1_TO_1,
    &kOp_RESHAPE,
    &kOp_RESIZE_BILINEAR,
    &kOp_RESIZE_NEAREST_NEIGHBOR,
    &kOp_SHAPE,
    &kOp_SLICE,
    &kCmsisNnOp_SOFTMAX,
    &kOp_SPACE_TO_BATCH_ND,
    &kOp_SPACE_TO_DEPTH,
    &kOp_SPLIT,
    &kOp_SPLIT_V,
    &kOp_SQUEEZE,
    &kOp_STRIDED_SLICE,
    &kOp_SUB,
    &kOp_SUM,
    &kCmsisNnOp_SVDF,
    &kOp_TANH,
    &kOp_TRANSPOSE,
    &kOp_TRANSPOSE_CONV,
    &kOp_UNPACK,
    &kOp_VAR_HANDLE,
};
// clang-format on
const uint32_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);

}  // namespace tinyhil
