// SPDX-License-Identifier: Apache-2.0
// PRELU: int8, int16 (with int8 slopes) and float. The slopes broadcast over the input. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/broadcast.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct PreluData {
  TensorType type;
  Broadcast shape;
  int32_t input_zero_point;
  int32_t alpha_zero_point;
  int32_t output_zero_point;
  Multiplier above;
  Multiplier below;  // of input times slope
};

bool PreparePrelu(Prepare& op) {
  Tensor input, alpha, output;
  PreluData* data = op.Data<PreluData>();
  if (data == nullptr || !op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Input(1, &alpha) ||
      !op.Output(0, &output) ||
      !ExpectType(op, input, "inputs[0]",
                  TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16) | TypeBit(TensorType::kFloat32)) ||
      !ExpectType(op, alpha, "inputs[1]", TypeBit(input.type == TensorType::kInt16 ? TensorType::kInt8 : input.type)) ||
      !ExpectSameType(op, output, "outputs[0]", input) || !MakeBroadcast(op, input, alpha, output, &data->shape)) {
    return false;
  }
  data->type = input.type;
  if (input.type == TensorType::kFloat32) return true;
  if (!ExpectQuantized(op, input, "inputs[0]") || !ExpectQuantized(op, alpha, "inputs[1]") ||
      !ExpectQuantized(op, output, "outputs[0]")) {
    return false;
  }
  data->input_zero_point = input.zero_point;
  data->alpha_zero_point = alpha.zero_point;
  data->output_zero_point = output.zero_point;
  data->above = MakeMultiplier(input.scale(), 1.0f, output.scale());
  data->below = MakeMultiplier(input.scale(), alpha.scale(), output.scale());
  return ExpectShift(op, data->above) && ExpectShift(op, data->below);
}

template <typename T>
void Quantized(const PreluData& data, const Eval& op) {
  constexpr int32_t kHighest = (1 << (8 * sizeof(T) - 1)) - 1;
  const PreluData d = data;  // a byte that is stored may alias anything behind a pointer
  ForEachPair(d.shape, op.Input<T>(0), op.Input<int8_t>(1), op.Output<T>(0), [&d](int32_t value, int32_t alpha) {
    const int32_t x = value - d.input_zero_point;
    const int32_t y = x >= 0 ? Requantize(x, d.above.value, d.above.shift)
                             : Requantize(x * (alpha - d.alpha_zero_point), d.below.value, d.below.shift);
    return static_cast<T>(Clamp(AddWrapping(y, d.output_zero_point), -kHighest - 1, kHighest));
  });
}

void EvalPrelu(const Eval& op) {
  const PreluData& d = op.Data<PreluData>();
  if (d.type == TensorType::kInt8) {
    Quantized<int8_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    Quantized<int16_t>(d, op);
  } else {
    ForEachPair(d.shape, op.Input<float>(0), op.Input<float>(1), op.Output<float>(0),
                [](float x, float alpha) { return x >= 0.0f ? x : x * alpha; });
  }
}

}  // namespace

extern const OpRegistration kOp_PRELU = {schema::kPrelu, "PRELU", PreparePrelu, EvalPrelu};

}  // namespace tinyhil
