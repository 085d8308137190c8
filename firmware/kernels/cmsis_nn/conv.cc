// SPDX-License-Identifier: Apache-2.0
// CONV_2D, int8, by arm_convolve_wrapper_s8: per-tensor or per-channel weights, any stride, dilation, padding, grouped.
//
// Scratch: what the library asks for. Persistent: 8 bytes a channel.
#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/reference/conv_common.h"

namespace tinyhil {
namespace {

struct ConvData {
  mutable uint32_t runs;
  const int8_t* filter;
  const int32_t* bias;
  bool general;  // the wrapper's choice would not be exact
  cmsis_nn_context context;
  cmsis_nn_conv_params params;
  cmsis_nn_per_channel_quant_params multipliers;
  cmsis_nn_dims input_dims, filter_dims, output_dims;
};

bool PrepareConv(Prepare& op) {
  ConvBase base;
  ConvTensors tensors;
  Table options;
  if (!CheckConvBase(op, kConvFields, &base, &tensors, &options)) return false;
  int32_t groups;
  if (!CheckGroups(op, base, tensors.filter, &groups)) return false;
  ConvData d = {};
  d.filter = base.filter;
  d.bias = base.stage.bias;
  d.general = base.y.input == 1 && base.y.filter == 1 && !OneRowIsExact(base.x) &&
              (base.x.filter != 1 || base.x.pad != 0);  // 1 by 1 has a function of its own
  d.params = {-base.input_zero_point,
              base.stage.zero_point,
              {base.x.stride, base.y.stride},
              {base.x.pad, base.y.pad},
              {base.x.dilation, base.y.dilation},
              {base.stage.low, base.stage.high}};
  d.input_dims = DimsOf(tensors.input);
  d.filter_dims = DimsOf(tensors.filter);
  d.output_dims = DimsOf(tensors.output);
  ConvData* data = op.Data<ConvData>();
  if (data == nullptr) return false;
  const uint32_t channels = static_cast<uint32_t>(base.output_channels);
  if (groups > 1 && !BiasOrZeros(op, channels, &d.bias)) return false;
  if (!MakeChannelMultipliers(op, tensors.input, tensors.filter, tensors.output, channels, &d.multipliers)) {
    return false;
  }
  *data = d;
  const int32_t scratch =
      d.general ? arm_convolve_s8_get_buffer_size(&d.input_dims, &d.filter_dims)
                : arm_convolve_wrapper_s8_get_buffer_size(&d.params, &d.input_dims, &d.filter_dims, &d.output_dims);
  return ScratchContext(op, scratch, &data->context);
}

void EvalConv(const Eval& op) {
  const ConvData& d = op.Data<ConvData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  Count(d.runs, d.general
                    ? arm_convolve_s8(&d.context, &d.params, &d.multipliers, &d.input_dims, in, &d.filter_dims,
                                      d.filter, &d.output_dims, d.bias, nullptr, &d.output_dims, out)
                    : arm_convolve_wrapper_s8(&d.context, &d.params, &d.multipliers, &d.input_dims, in, &d.filter_dims,
                                              d.filter, &d.output_dims, d.bias, &d.output_dims, out));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_CONV_2D = {schema::kConv2d, "CONV_2D", PrepareConv, EvalConv, "cmsis_nn", true};

}  // namespace tinyhil
