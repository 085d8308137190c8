// SPDX-License-Identifier: Apache-2.0
// LEAKY_RELU: int8, int16 and float. A multiplier for either side of zero; the slope may be negative. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

struct LeakyReluData {
  TensorType type;
  uint32_t elements;
  float alpha;
  int32_t input_zero_point;
  int32_t output_zero_point;
  Multiplier above;
  Multiplier below;
  bool negative;  // the slope below zero
};

constexpr uint32_t kTypes = TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16) | TypeBit(TensorType::kFloat32);

bool PrepareLeakyRelu(Prepare& op) {
  Tensor input, output;
  Table options;
  LeakyReluData* data = op.Data<LeakyReluData>();
  if (data == nullptr || !ExpectUnary(op, kTypes, &input, &output) ||
      !op.Options(schema::kLeakyReluOptions, &options)) {
    return false;
  }
  const float alpha = options.F32(schema::kLeakyReluAlpha, "alpha", 0.0f);
  if (!op.ok()) return false;
  data->type = input.type;
  data->elements = input.elements;
  data->alpha = alpha;
  if (input.type == TensorType::kFloat32) return true;
  data->input_zero_point = input.zero_point;
  data->output_zero_point = output.zero_point;
  data->negative = alpha < 0.0f;
  const float slope = data->negative ? -alpha : alpha;
  if (!(slope < __builtin_inff())) return op.Fail(Code::kModelUnsupported, "alpha", "must be a finite number");
  data->above = MakeMultiplier(input.scale(), 1.0f, output.scale());
  data->below = slope > 0.0f ? MakeMultiplier(input.scale(), slope, output.scale()) : Multiplier{0, 0};
  return ExpectShift(op, data->above) && ExpectShift(op, data->below);
}

template <typename T>
void Quantized(const LeakyReluData& data, const Eval& op) {
  constexpr int32_t kHighest = (1 << (8 * sizeof(T) - 1)) - 1;
  const LeakyReluData d = data;  // a byte that is stored may alias anything behind a pointer
  ForEachValue(d.elements, op.Input<T>(0), op.Output<T>(0), [&d](T value) {
    const int32_t x = value - d.input_zero_point;
    int32_t y;
    if (x >= 0) {
      y = Requantize(x, d.above.value, d.above.shift);
    } else {
      y = Requantize(x, d.below.value, d.below.shift);
      if (d.negative) y = -y;
    }
    return static_cast<T>(Clamp(AddWrapping(y, d.output_zero_point), -kHighest - 1, kHighest));
  });
}

void EvalLeakyRelu(const Eval& op) {
  const LeakyReluData& d = op.Data<LeakyReluData>();
  if (d.type == TensorType::kInt8) {
    Quantized<int8_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    Quantized<int16_t>(d, op);
  } else {
    ForEachValue(d.elements, op.Input<float>(0), op.Output<float>(0),
                 [&d](float x) { return x > 0.0f ? x : x * d.alpha; });
  }
}

}  // namespace

extern const OpRegistration kOp_LEAKY_RELU = {schema::kLeakyRelu, "LEAKY_RELU", PrepareLeakyRelu, EvalLeakyRelu};

}  // namespace tinyhil
