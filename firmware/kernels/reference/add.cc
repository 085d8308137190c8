// SPDX-License-Identifier: Apache-2.0
// ADD: int8, int16, int32 and float, with broadcasting over up to six dimensions.
//
// Quantized inputs are brought to a common scale, twice the larger of theirs, with 20 bits of headroom (int16: 15); the
// sum is rescaled to the output. int32 wraps. No scratch.
#include "kernels/reference/add.h"

#include "kernels/ops.h"

namespace tinyhil {
namespace {

// The scales as ADD rounds them: their quotients in double.
bool AddMultipliers(Prepare&, const Tensor (&inputs)[2], const Tensor& output, int32_t headroom, AddData* data) {
  const float larger = inputs[0].scale() > inputs[1].scale() ? inputs[0].scale() : inputs[1].scale();
  for (uint32_t k = 0; k < 2; ++k) data->multiplier[k] = MakeMultiplier(inputs[k].scale(), 0.5f, larger);
  data->sum = MakeMultiplier(larger, 2.0f / static_cast<float>(1 << headroom), output.scale());
  return true;
}

// As SUB rounds them: their quotients in float.
bool SubMultipliers(Prepare& op, const Tensor (&inputs)[2], const Tensor& output, int32_t headroom, AddData* data) {
  const float twice = 2.0f * (inputs[0].scale() > inputs[1].scale() ? inputs[0].scale() : inputs[1].scale());
  for (uint32_t k = 0; k < 2; ++k) {
    const float ratio = inputs[k].scale() / twice;
    if (!ExpectRatio(op, ratio)) return false;
    data->multiplier[k] = MultiplierOf(ratio);
  }
  const float sum = twice / (static_cast<float>(1 << headroom) * output.scale());
  if (!ExpectRatio(op, sum)) return false;
  data->sum = MultiplierOf(sum);
  return true;
}

bool Check(Prepare& op, schema::Options options_type, bool subtract, AddData* data) {
  Tensor inputs[2], output;
  Table options;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &inputs[0]) || !op.Input(1, &inputs[1]) || !op.Output(0, &output) ||
      !op.Options(options_type, &options) || !ExpectType(op, inputs[0], "inputs[0]", kArithmeticTypes) ||
      !ExpectSameType(op, inputs[1], "inputs[1]", inputs[0]) || !ExpectSameType(op, output, "outputs[0]", inputs[0]) ||
      !MakeBroadcast(op, inputs[0], inputs[1], output, &data->shape)) {
    return false;
  }
  const uint8_t activation = options.U8(schema::kArithmeticActivation, "fused_activation_function", schema::kNone);
  data->type = output.type;
  data->elements = 0;
  if (output.type == TensorType::kFloat32) {
    return op.ok() && FloatActivationRange(op, activation, &data->float_range);
  }
  if (output.type == TensorType::kInt32) {
    if (inputs[0].scale_count != 0 || inputs[1].scale_count != 0) {
      return op.Fail(Code::kModelUnsupported, "inputs", "int32 must not be quantized");
    }
    // ADD ignores an activation of int32, as the oracle does.
    return op.ok() && Int32ActivationRange(op, subtract ? activation : uint8_t{schema::kNone}, &data->range);
  }
  if (!ExpectQuantized(op, inputs[0], "inputs[0]") || !ExpectQuantized(op, inputs[1], "inputs[1]") ||
      !ExpectQuantized(op, output, "outputs[0]")) {
    return false;
  }
  const int32_t headroom = output.type == TensorType::kInt8 ? AddData::kHeadroom : 15;
  if (!(subtract ? SubMultipliers : AddMultipliers)(op, inputs, output, headroom, data)) return false;
  if (data->sum.shift > 0) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "scale too small for the inputs' scales");
  }
  data->zero_point[0] = inputs[0].zero_point;
  data->zero_point[1] = inputs[1].zero_point;
  data->output_zero_point = output.zero_point;
  const bool flat = data->shape.rank == 1 && data->shape.step[0][0] == 1 && data->shape.step[1][0] == 1;
  if (output.type == TensorType::kInt8 && flat) data->elements = output.elements;
  return op.ok() && ActivationRange(op, activation, output, &data->range);
}

bool PrepareAdd(Prepare& op) {
  AddData* data = op.Data<AddData>();
  return data != nullptr && CheckAdd(op, data);
}

}  // namespace

bool CheckAdd(Prepare& op, AddData* data) { return Check(op, schema::kAddOptions, false, data); }
bool CheckSub(Prepare& op, AddData* data) { return Check(op, schema::kSubOptions, true, data); }

extern const OpRegistration kOp_ADD = {schema::kAdd, "ADD", PrepareAdd, EvalAddOrSub<false>};

}  // namespace tinyhil
