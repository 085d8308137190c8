// SPDX-License-Identifier: Apache-2.0
// DEPTHWISE_CONV_2D, int8, by arm_depthwise_conv_wrapper_s8: per-tensor or per-channel weights, any stride, dilation,
// padding, depth multiplier.
//
// Scratch: what the library asks for. Persistent: 8 bytes a channel.
#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"
#include "kernels/reference/conv_common.h"

namespace tinyhil {
namespace {

struct DepthwiseData {
  mutable uint32_t runs;
  const int8_t* filter;
  const int32_t* bias;
  cmsis_nn_context context;
  cmsis_nn_dw_conv_params params;
  cmsis_nn_per_channel_quant_params multipliers;
  cmsis_nn_dims input_dims, filter_dims, output_dims;
};

bool PrepareDepthwise(Prepare& op) {
  ConvBase base;
  ConvTensors tensors;
  Table options;
  if (!CheckConvBase(op, kDepthwiseFields, &base, &tensors, &options)) return false;
  const int32_t multiplier = base.output_channels / base.input_channels;
  if (tensors.filter.dim(0) != 1 || multiplier * base.input_channels != base.output_channels ||
      options.I32(schema::kDepthwiseMultiplier, "depth_multiplier", 0) != multiplier) {
    return op.Hand(kOp_DEPTHWISE_CONV_2D);  // to be refused there
  }
  // One input channel makes it a convolution to the library.
  if (base.input_channels == 1 && base.y.input == 1 && base.y.filter == 1 && !OneRowIsExact(base.x)) {
    return op.Hand(kOp_DEPTHWISE_CONV_2D);
  }
  DepthwiseData d = {};
  d.filter = base.filter;
  d.bias = base.stage.bias;
  d.params = {-base.input_zero_point,           base.stage.zero_point,    multiplier,
              {base.x.stride, base.y.stride},   {base.x.pad, base.y.pad}, {base.x.dilation, base.y.dilation},
              {base.stage.low, base.stage.high}};
  d.input_dims = DimsOf(tensors.input);
  d.filter_dims = DimsOf(tensors.filter);
  d.output_dims = DimsOf(tensors.output);
  DepthwiseData* data = op.Data<DepthwiseData>();
  if (data == nullptr) return false;
  const uint32_t channels = static_cast<uint32_t>(base.output_channels);
  if (!BiasOrZeros(op, channels, &d.bias) ||
      !MakeChannelMultipliers(op, tensors.input, tensors.filter, tensors.output, channels, &d.multipliers)) {
    return false;
  }
  *data = d;
  const int32_t scratch =
      arm_depthwise_conv_wrapper_s8_get_buffer_size(&d.params, &d.input_dims, &d.filter_dims, &d.output_dims);
  return ScratchContext(op, scratch, &data->context);
}

void EvalDepthwise(const Eval& op) {
  const DepthwiseData& d = op.Data<DepthwiseData>();
  Count(d.runs, arm_depthwise_conv_wrapper_s8(&d.context, &d.params, &d.multipliers, &d.input_dims, op.Input<int8_t>(0),
                                              &d.filter_dims, d.filter, &d.output_dims, d.bias, &d.output_dims,
                                              op.Output<int8_t>(0)));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_DEPTHWISE_CONV_2D = {
    schema::kDepthwiseConv2d, "DEPTHWISE_CONV_2D", PrepareDepthwise, EvalDepthwise, "cmsis_nn", true};

}  // namespace tinyhil
