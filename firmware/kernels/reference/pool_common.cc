// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/pool_common.h"

namespace tinyhil {

bool CheckPool(Prepare& op, PoolData* data) {
  Tensor input, output;
  Table options;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectInt8(op, input, "inputs[0]") || !ExpectInt8(op, output, "outputs[0]")) return false;
  if (!ExpectRank(op, input, "inputs[0]", 4) || !ExpectRank(op, output, "outputs[0]", 4)) return false;
  // Pooling does not rescale: what comes out has the input's quantization.
  const float difference = input.scale() - output.scale();
  if (difference > 1.0e-6f || difference < -1.0e-6f || input.zero_point != output.zero_point) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must have the input's scale and zero point");
  }
  if (!op.Options(schema::kPool2dOptions, &options)) return false;
  const uint8_t padding = options.U8(schema::kPoolPadding, "padding", schema::kSame);
  const uint8_t activation = options.U8(schema::kPoolActivation, "fused_activation_function", schema::kNone);
  data->y = {input.dim(1),
             0,
             options.I32(schema::kPoolFilterH, "filter_height", 0),
             options.I32(schema::kPoolStrideH, "stride_h", 0),
             1,
             0};
  data->x = {input.dim(2),
             0,
             options.I32(schema::kPoolFilterW, "filter_width", 0),
             options.I32(schema::kPoolStrideW, "stride_w", 0),
             1,
             0};
  data->batches = input.dim(0);
  data->channels = input.dim(3);
  return op.ok() && MakeWindow(op, padding, &data->y) && MakeWindow(op, padding, &data->x) &&
         ExpectDim(op, "outputs[0]", output.dim(0), data->batches) &&
         ExpectDim(op, "outputs[0]", output.dim(1), data->y.output) &&
         ExpectDim(op, "outputs[0]", output.dim(2), data->x.output) &&
         ExpectDim(op, "outputs[0]", output.dim(3), data->channels) &&
         ActivationRange(op, activation, output, &data->range);
}

bool PreparePool(Prepare& op) {
  PoolData* data = op.Data<PoolData>();
  return data != nullptr && CheckPool(op, data);
}

}  // namespace tinyhil
