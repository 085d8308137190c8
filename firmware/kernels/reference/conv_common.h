// SPDX-License-Identifier: Apache-2.0
// What the two convolutions share: all of Prepare but how input channels become output channels.
#ifndef TINYHIL_KERNELS_REFERENCE_CONV_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_CONV_COMMON_H_

#include "interpreter/kernel.h"
#include "kernels/reference/output_stage.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct ConvBase {
  const int8_t* filter;
  OutputStage stage;
  Window y, x;
  int32_t batches;
  int32_t input_channels;
  int32_t output_channels;
  int32_t input_zero_point;
};

// Where an operator keeps its parameters.
struct ConvFields {
  schema::Options options;
  uint16_t padding, stride_w, stride_h, activation, dilation_w, dilation_h;
  uint32_t channel_dimension;  // of the filter: its output channels
};

constexpr ConvFields kConvFields = {
    schema::kConv2dOptions,  schema::kConvPadding,   schema::kConvStrideW,   schema::kConvStrideH,
    schema::kConvActivation, schema::kConvDilationW, schema::kConvDilationH, 0};

constexpr ConvFields kDepthwiseFields = {schema::kDepthwiseConv2dOptions, schema::kDepthwisePadding,
                                         schema::kDepthwiseStrideW,       schema::kDepthwiseStrideH,
                                         schema::kDepthwiseActivation,    schema::kDepthwiseDilationW,
                                         schema::kDepthwiseDilationH,     3};

struct ConvTensors {
  Tensor input, filter, output;
};

// Checks inputs, outputs and parameters and fills `base` but for the multipliers of its stage; takes no memory.
// `tensors` and `options` are for what is left to check.
bool CheckConvBase(Prepare& op, const ConvFields& fields, ConvBase* base, ConvTensors* tensors, Table* options);

// How many groups of channels a CONV_2D has; fails where they do not come out even.
bool CheckGroups(Prepare& op, const ConvBase& base, const Tensor& filter, int32_t* groups);

// The same, with multipliers; `filter` and `options` are for what is left to check.
bool PrepareConvBase(Prepare& op, const ConvFields& fields, ConvBase* base, Tensor* filter, Table* options);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_CONV_COMMON_H_
