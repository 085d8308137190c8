// SPDX-License-Identifier: Apache-2.0
// SVDF, int8, with int8 or int16 state, by arm_svdf_s8 and arm_svdf_state_s16_s8.
//
// Scratch: 4 bytes a filter and 4 a unit, for each batch. Persistent: where the library wants the sums of the feature
// weights (MVE), 4 bytes a filter, computed once.
#include "kernels/reference/svdf.h"

#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct LayerData {
  mutable uint32_t runs;
  bool wide;  // the state is int16
  const int8_t* features;
  const void* times;
  const int32_t* bias;
  cmsis_nn_context sums, filters, units;
  cmsis_nn_svdf_params params;
  cmsis_nn_per_tensor_quant_params to_state, to_output;
  cmsis_nn_dims input_dims, state_dims, features_dims, times_dims, output_dims;
};

bool PrepareSvdf(Prepare& op) {
  SvdfData svdf;
  if (!CheckSvdf(op, &svdf)) return false;
  // The library takes the state as it is, and holds its rank in 16 bits.
  if (svdf.state_zero_point != 0 || svdf.rank > INT16_MAX) return op.Hand(kOp_SVDF);
  const int32_t units = svdf.filters / svdf.rank;
  const int32_t highest = svdf.wide ? INT16_MAX : INT8_MAX;
  LayerData d = {};
  d.wide = svdf.wide;
  d.features = svdf.feature_weights;
  d.times = svdf.time_weights;
  d.bias = svdf.bias;
  d.params = {svdf.rank, svdf.input_zero_point, svdf.output_zero_point, {-highest - 1, highest}, {-128, 127}};
  d.to_state = {svdf.to_state.value, svdf.to_state.shift};
  d.to_output = {svdf.to_output.value, svdf.to_output.shift};
  d.input_dims = {svdf.batches, svdf.inputs, 1, 1};
  d.state_dims = {svdf.batches, svdf.filters, svdf.memory, 1};
  d.features_dims = {svdf.filters, svdf.inputs, 1, 1};
  d.times_dims = {svdf.filters, svdf.memory, 1, 1};
  d.output_dims = {svdf.batches, units, 1, 1};
  LayerData* data = op.Data<LayerData>();
  if (data == nullptr) return false;
  if (!d.wide && arm_svdf_s8_get_buffer_size(&d.features_dims) > 0) {
    int32_t* sums = op.Persistent<int32_t>(static_cast<uint32_t>(svdf.filters));
    if (sums == nullptr) return false;
    arm_vector_sum_s8(sums, svdf.inputs, svdf.filters, d.features, -svdf.input_zero_point, 0, nullptr);
    d.sums = {sums, svdf.filters * 4};
  }
  *data = d;
  return ScratchContext(op, svdf.batches * svdf.filters * 4, &data->filters) &&
         ScratchContext(op, svdf.batches * units * 4, &data->units);
}

void EvalSvdf(const Eval& op) {
  const LayerData& d = op.Data<LayerData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  Count(d.runs,
        d.wide ? arm_svdf_state_s16_s8(&d.filters, &d.units, &d.params, &d.to_state, &d.to_output, &d.input_dims, in,
                                       &d.state_dims, op.VariableInput<int16_t>(4), &d.features_dims, d.features,
                                       &d.times_dims, static_cast<const int16_t*>(d.times), &d.output_dims, d.bias,
                                       &d.output_dims, out)
               : arm_svdf_s8(&d.sums, &d.filters, &d.units, &d.params, &d.to_state, &d.to_output, &d.input_dims, in,
                             &d.state_dims, op.VariableInput<int8_t>(4), &d.features_dims, d.features, &d.times_dims,
                             static_cast<const int8_t*>(d.times), &d.output_dims, d.bias, &d.output_dims, out));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_SVDF = {schema::kSvdf, "SVDF", PrepareSvdf, EvalSvdf, "cmsis_nn", true};

}  // namespace tinyhil
