// SPDX-License-Identifier: Apache-2.0
// FULLY_CONNECTED, int8: per-tensor or per-channel weights, any batch.
//
// Four outputs at a time share each input (dot.h). No scratch. Persistent: 5 bytes an output where weights are per
// channel, else none.
#include "kernels/reference/fully_connected.h"

#include "kernels/ops.h"
#include "kernels/reference/dot.h"

namespace tinyhil {

bool CheckFullyConnected(Prepare& op, FullyConnectedData* data, FullyConnectedTensors* tensors) {
  Tensor& input = tensors->input;
  Tensor& filter = tensors->filter;
  Tensor& output = tensors->output;
  Table options;
  if (!op.Expect(2, 3, 1) || !op.Input(0, &input) || !op.Input(1, &filter) || !op.Output(0, &output)) return false;
  if (!ExpectInt8(op, input, "inputs[0]") || !ExpectInt8(op, output, "outputs[0]")) return false;
  if (!ExpectRank(op, filter, "filter", 2) || !ExpectFilter(op, filter, 0) ||
      !op.Options(schema::kFullyConnectedOptions, &options)) {
    return false;
  }
  const uint8_t activation = options.U8(schema::kFcActivation, "fused_activation_function", schema::kNone);
  const uint8_t format = options.U8(schema::kFcWeightsFormat, "weights_format", 0);
  if (!op.ok()) return false;
  if (format != 0) return op.Fail(Code::kModelUnsupported, "weights_format", "only the default layout", format, 0);

  const uint32_t outputs = static_cast<uint32_t>(filter.dim(0)), inputs = static_cast<uint32_t>(filter.dim(1));
  const uint32_t batches = input.elements / inputs;
  if (input.elements % inputs != 0) {
    return op.Fail(Code::kModelMalformed, "inputs[0]", "not whole rows of the weights", input.elements, inputs);
  }
  if (output.elements / outputs != batches || output.elements % outputs != 0) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "not one row of outputs a row of inputs", output.elements,
                   outputs);
  }
  data->weights = static_cast<const int8_t*>(filter.data);
  data->batches = static_cast<int32_t>(batches);
  data->inputs = static_cast<int32_t>(inputs);
  data->outputs = static_cast<int32_t>(outputs);
  data->input_zero_point = input.zero_point;
  if (!ReadOutputStage(op, 2, output, outputs, activation, &data->stage)) return false;
  if (filter.scale_count > 1) return true;
  // With one scale the product of input's and weights' is rounded to float first, unlike in the convolutions.
  const float product = input.scale() * filter.scale();
  if (!(product > 0.0f)) return op.Fail(Code::kModelUnsupported, "filter", "scales whose product is no float above 0");
  const Multiplier multiplier = MakeMultiplier(product, 1.0f, output.scale());
  if (!ExpectShift(op, multiplier)) return false;
  data->multiplier = multiplier.value;
  data->shift = static_cast<int8_t>(multiplier.shift);
  return true;
}

namespace {

bool PrepareFullyConnected(Prepare& op) {
  FullyConnectedData* data = op.Data<FullyConnectedData>();
  FullyConnectedTensors tensors;
  if (data == nullptr || !CheckFullyConnected(op, data, &tensors)) return false;
  if (tensors.filter.scale_count > 1) {
    return MakeMultipliers(op, tensors.input, tensors.filter, tensors.output, &data->stage);
  }
  data->stage.channel_mask = 0;
  data->stage.multipliers = &data->multiplier;
  data->stage.shifts = &data->shift;
  return true;
}

void Row(const FullyConnectedData& d, const int8_t* in, int8_t* out) {
  const int32_t size = d.inputs;
  const OutputStage stage = d.stage;
  const int8_t* weights = d.weights;
  int32_t i = 0;
  for (; i + 4 <= d.outputs; i += 4, weights += 4 * size) {
    const FourSums sums = DotOneByFour(in, d.input_zero_point, weights, size);
    for (int32_t k = 0; k < 4; ++k) out[i + k] = stage.Finish(i + k, sums.s[k]);
  }
  for (; i < d.outputs; ++i, weights += size) {
    uint32_t sum = 0;
    for (int32_t k = 0; k < size; ++k) Accumulate(sum, in[k] - d.input_zero_point, weights[k]);
    out[i] = stage.Finish(i, sum);
  }
}

void EvalFullyConnected(const Eval& op) {
  const FullyConnectedData& d = op.Data<FullyConnectedData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  for (int32_t batch = 0; batch < d.batches; ++batch, in += d.inputs, out += d.outputs) Row(d, in, out);
}

}  // namespace

extern const OpRegistration kOp_FULLY_CONNECTED = {schema::kFullyConnected, "FULLY_CONNECTED", PrepareFullyConnected,
                                                   EvalFullyConnected};

}  // namespace tinyhil
