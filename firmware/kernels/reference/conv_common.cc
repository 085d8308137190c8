// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/conv_common.h"

namespace tinyhil {

bool CheckConvBase(Prepare& op, const ConvFields& fields, ConvBase* base, ConvTensors* tensors, Table* options) {
  Tensor& input = tensors->input;
  Tensor& output = tensors->output;
  Tensor* const filter = &tensors->filter;
  if (!op.Expect(2, 3, 1) || !op.Input(0, &input) || !op.Input(1, filter) || !op.Output(0, &output)) return false;
  if (!ExpectInt8(op, input, "inputs[0]") || !ExpectInt8(op, output, "outputs[0]")) return false;
  if (!ExpectRank(op, input, "inputs[0]", 4) || !ExpectRank(op, *filter, "filter", 4) ||
      !ExpectRank(op, output, "outputs[0]", 4)) {
    return false;
  }
  if (!ExpectFilter(op, *filter, fields.channel_dimension) || !op.Options(fields.options, options)) return false;

  const uint8_t padding = options->U8(fields.padding, "padding", schema::kSame);
  const uint8_t activation = options->U8(fields.activation, "fused_activation_function", schema::kNone);
  const int32_t stride_h = options->I32(fields.stride_h, "stride_h", 0);
  const int32_t stride_w = options->I32(fields.stride_w, "stride_w", 0);
  const int32_t dilation_h = options->I32(fields.dilation_h, "dilation_h_factor", 1);
  const int32_t dilation_w = options->I32(fields.dilation_w, "dilation_w_factor", 1);
  base->y = {input.dim(1), 0, filter->dim(1), stride_h, dilation_h, 0};
  base->x = {input.dim(2), 0, filter->dim(2), stride_w, dilation_w, 0};
  if (!op.ok() || !MakeWindow(op, padding, &base->y) || !MakeWindow(op, padding, &base->x)) return false;

  base->batches = input.dim(0);
  base->input_channels = input.dim(3);
  base->output_channels = filter->dim(fields.channel_dimension);
  base->input_zero_point = input.zero_point;
  base->filter = static_cast<const int8_t*>(filter->data);
  return ExpectDim(op, "outputs[0]", output.dim(0), base->batches) &&
         ExpectDim(op, "outputs[0]", output.dim(1), base->y.output) &&
         ExpectDim(op, "outputs[0]", output.dim(2), base->x.output) &&
         ExpectDim(op, "outputs[0]", output.dim(3), base->output_channels) &&
         ReadOutputStage(op, 2, output, static_cast<uint32_t>(base->output_channels), activation, &base->stage);
}

bool CheckGroups(Prepare& op, const ConvBase& base, const Tensor& filter, int32_t* groups) {
  const int32_t group_channels = filter.dim(3);
  *groups = base.input_channels / group_channels;
  if (*groups * group_channels != base.input_channels) {
    return op.Fail(Code::kModelMalformed, "filter", "its channels do not divide the input's",
                   static_cast<uint32_t>(group_channels), static_cast<uint32_t>(base.input_channels));
  }
  if (*groups == 0 || base.output_channels % *groups != 0) {
    return op.Fail(Code::kModelMalformed, "filter", "its outputs are not shared out evenly between the groups",
                   static_cast<uint32_t>(base.output_channels), static_cast<uint32_t>(*groups));
  }
  return true;
}

bool PrepareConvBase(Prepare& op, const ConvFields& fields, ConvBase* base, Tensor* filter, Table* options) {
  ConvTensors tensors;
  if (!CheckConvBase(op, fields, base, &tensors, options)) return false;
  *filter = tensors.filter;
  return MakeMultipliers(op, tensors.input, tensors.filter, tensors.output, &base->stage);
}

}  // namespace tinyhil
