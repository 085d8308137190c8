// SPDX-License-Identifier: Apache-2.0
// The registrations of a kernel set: kOp_ followed by the schema's name. Each is defined in the operator's own file.
#ifndef TINYHIL_KERNELS_OPS_H_
#define TINYHIL_KERNELS_OPS_H_

#include "interpreter/kernel.h"

namespace tinyhil {

extern const char kKernelSet[];  // "reference", "cmsis_nn"

extern const OpRegistration kOp_ABS;
extern const OpRegistration kOp_ADD;
extern const OpRegistration kOp_ARG_MAX;
extern const OpRegistration kOp_ARG_MIN;
extern const OpRegistration kOp_ASSIGN_VARIABLE;
extern const OpRegistration kOp_AVERAGE_POOL_2D;
extern const OpRegistration kOp_BATCH_MATMUL;
extern const OpRegistration kOp_BATCH_TO_SPACE_ND;
extern const OpRegistration kOp_CALL_ONCE;
extern const OpRegistration kOp_CONCATENATION;
extern const OpRegistration kOp_CONV_2D;
extern const OpRegistration kOp_DEPTHWISE_CONV_2D;
extern const OpRegistration kOp_DEPTH_TO_SPACE;
extern const OpRegistration kOp_DEQUANTIZE;
extern const OpRegistration kOp_ELU;
extern const OpRegistration kOp_EQUAL;
extern const OpRegistration kOp_EXPAND_DIMS;
extern const OpRegistration kOp_FULLY_CONNECTED;
extern const OpRegistration kOp_GATHER;
extern const OpRegistration kOp_GREATER;
extern const OpRegistration kOp_GREATER_EQUAL;
extern const OpRegistration kOp_HARD_SWISH;
extern const OpRegistration kOp_LEAKY_RELU;
extern const OpRegistration kOp_LESS;
extern const OpRegistration kOp_LESS_EQUAL;
extern const OpRegistration kOp_LOGISTIC;
extern const OpRegistration kOp_MAXIMUM;
extern const OpRegistration kOp_MAX_POOL_2D;
extern const OpRegistration kOp_MEAN;
extern const OpRegistration kOp_MINIMUM;
extern const OpRegistration kOp_MUL;
extern const OpRegistration kOp_NEG;
extern const OpRegistration kOp_NOT_EQUAL;
extern const OpRegistration kOp_PACK;
extern const OpRegistration kOp_PAD;
extern const OpRegistration kOp_PADV2;
extern const OpRegistration kOp_PRELU;
extern const OpRegistration kOp_QUANTIZE;
extern const OpRegistration kOp_READ_VARIABLE;
extern const OpRegistration kOp_REDUCE_MAX;
extern const OpRegistration kOp_RELU;
extern const OpRegistration kOp_RELU6;
extern const OpRegistration kOp_RELU_N1_TO_1;
extern const OpRegistration kOp_RESHAPE;
extern const OpRegistration kOp_RESIZE_BILINEAR;
extern const OpRegistration kOp_RESIZE_NEAREST_NEIGHBOR;
extern const OpRegistration kOp_SHAPE;
extern const OpRegistration kOp_SLICE;
extern const OpRegistration kOp_SOFTMAX;
extern const OpRegistration kOp_SPACE_TO_BATCH_ND;
extern const OpRegistration kOp_SPACE_TO_DEPTH;
extern const OpRegistration kOp_SPLIT;
extern const OpRegistration kOp_SPLIT_V;
extern const OpRegistration kOp_SQUEEZE;
extern const OpRegistration kOp_STRIDED_SLICE;
extern const OpRegistration kOp_SUB;
extern const OpRegistration kOp_SUM;
extern const OpRegistration kOp_SVDF;
extern const OpRegistration kOp_TANH;
extern const OpRegistration kOp_TRANSPOSE;
extern const OpRegistration kOp_TRANSPOSE_CONV;
extern const OpRegistration kOp_UNPACK;
extern const OpRegistration kOp_VAR_HANDLE;

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_OPS_H_
