// SPDX-License-Identifier: Apache-2.0
// MUL: int8, int16, int32 and float, with broadcasting. One multiplier for the product; int32 wraps. No scratch.
#include "kernels/reference/mul.h"

#include "kernels/ops.h"

namespace tinyhil {

bool CheckMul(Prepare& op, MulData* data) {
  Tensor inputs[2], output;
  Table options;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &inputs[0]) || !op.Input(1, &inputs[1]) || !op.Output(0, &output) ||
      !op.Options(schema::kMulOptions, &options) || !ExpectType(op, inputs[0], "inputs[0]", kArithmeticTypes) ||
      !ExpectSameType(op, inputs[1], "inputs[1]", inputs[0]) || !ExpectSameType(op, output, "outputs[0]", inputs[0]) ||
      !MakeBroadcast(op, inputs[0], inputs[1], output, &data->shape)) {
    return false;
  }
  const uint8_t activation = options.U8(schema::kArithmeticActivation, "fused_activation_function", schema::kNone);
  data->type = output.type;
  if (output.type == TensorType::kFloat32) {
    return op.ok() && FloatActivationRange(op, activation, &data->float_range);
  }
  if (output.type == TensorType::kInt32) return op.ok() && Int32ActivationRange(op, activation, &data->range);
  if (!ExpectQuantized(op, inputs[0], "inputs[0]") || !ExpectQuantized(op, inputs[1], "inputs[1]") ||
      !ExpectQuantized(op, output, "outputs[0]")) {
    return false;
  }
  data->multiplier = MakeMultiplier(inputs[0].scale(), inputs[1].scale(), output.scale());
  data->zero_point[0] = inputs[0].zero_point;
  data->zero_point[1] = inputs[1].zero_point;
  data->output_zero_point = output.zero_point;
  return op.ok() && ExpectShift(op, data->multiplier) && ActivationRange(op, activation, output, &data->range);
}

namespace {

bool PrepareMul(Prepare& op) {
  MulData* data = op.Data<MulData>();
  return data != nullptr && CheckMul(op, data);
}

template <typename T>
void MulQuantized(const MulData& data, const Eval& op) {
  const MulData d = data;  // a byte that is stored may alias anything behind a pointer
  ForEachPair(d.shape, op.Input<T>(0), op.Input<T>(1), op.Output<T>(0), [&d](int32_t a, int32_t b) {
    const int32_t product = (a - d.zero_point[0]) * (b - d.zero_point[1]);
    const int32_t scaled = Requantize(product, d.multiplier.value, d.multiplier.shift);
    return static_cast<T>(Clamp(AddWrapping(scaled, d.output_zero_point), d.range.low, d.range.high));
  });
}

void EvalMul(const Eval& op) {
  const MulData& d = op.Data<MulData>();
  if (d.type == TensorType::kInt8) {
    MulQuantized<int8_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    MulQuantized<int16_t>(d, op);
  } else if (d.type == TensorType::kInt32) {
    ForEachPair(d.shape, op.Input<uint32_t>(0), op.Input<uint32_t>(1), op.Output<int32_t>(0),
                [&d](uint32_t a, uint32_t b) { return Clamp(static_cast<int32_t>(a * b), d.range.low, d.range.high); });
  } else {
    ForEachPair(d.shape, op.Input<float>(0), op.Input<float>(1), op.Output<float>(0),
                [&d](float a, float b) { return ClampFloat(a * b, d.float_range); });
  }
}

}  // namespace

extern const OpRegistration kOp_MUL = {schema::kMul, "MUL", PrepareMul, EvalMul};

}  // namespace tinyhil
