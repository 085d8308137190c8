// SPDX-License-Identifier: Apache-2.0
// FULLY_CONNECTED, int8, by arm_fully_connected_s8 and arm_fully_connected_per_channel_s8, any batch.
//
// No scratch. Persistent: 8 bytes an output where weights are per channel; where the library wants the sums of the
// weights (MVE), 4 bytes an output, computed once.
#include "kernels/reference/fully_connected.h"

#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct LayerData {
  mutable uint32_t runs;
  const int8_t* filter;
  const int32_t* bias;
  cmsis_nn_context context;  // sums of weights
  cmsis_nn_fc_params params;
  cmsis_nn_per_channel_quant_params channels;  // where weights are per channel
  cmsis_nn_per_tensor_quant_params layer;      // where they have one scale
  cmsis_nn_dims input_dims, filter_dims, output_dims;
};

bool PrepareFullyConnected(Prepare& op) {
  FullyConnectedData base;
  FullyConnectedTensors tensors;
  if (!CheckFullyConnected(op, &base, &tensors)) return false;
  LayerData d = {};
  d.filter = base.weights;
  d.bias = base.stage.bias;
  d.params = {-base.input_zero_point, 0, base.stage.zero_point, {base.stage.low, base.stage.high}};
  d.input_dims = {base.batches, 1, 1, base.inputs};
  d.filter_dims = {base.inputs, 1, 1, base.outputs};
  d.output_dims = {base.batches, 1, 1, base.outputs};
  LayerData* data = op.Data<LayerData>();
  if (data == nullptr) return false;
  const uint32_t outputs = static_cast<uint32_t>(base.outputs);
  if (tensors.filter.scale_count == 1) {
    d.layer = {base.multiplier, base.shift};
  } else if (!MakeChannelMultipliers(op, tensors.input, tensors.filter, tensors.output, outputs, &d.channels)) {
    return false;
  }
  if (arm_fully_connected_s8_get_buffer_size(&d.filter_dims) > 0) {
    int32_t* sums = op.Persistent<int32_t>(outputs);
    if (sums == nullptr) return false;
    arm_vector_sum_s8(sums, base.inputs, base.outputs, d.filter, d.params.input_offset, d.params.filter_offset, d.bias);
    d.context = {sums, base.outputs * 4};
  }
  *data = d;
  return true;
}

void EvalFullyConnected(const Eval& op) {
  const LayerData& d = op.Data<LayerData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  Count(d.runs,
        d.channels.multiplier == nullptr
            ? arm_fully_connected_s8(&d.context, &d.params, &d.layer, &d.input_dims, in, &d.filter_dims, d.filter,
                                     &d.output_dims, d.bias, &d.output_dims, out)
            : arm_fully_connected_per_channel_s8(&d.context, &d.params, &d.channels, &d.input_dims, in, &d.filter_dims,
                                                 d.filter, &d.output_dims, d.bias, &d.output_dims, out));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_FULLY_CONNECTED = {
    schema::kFullyConnected, "FULLY_CONNECTED", PrepareFullyConnected, EvalFullyConnected, "cmsis_nn", true};

}  // namespace tinyhil
