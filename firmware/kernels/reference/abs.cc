// SPDX-License-Identifier: Apache-2.0
// ABS: int8, int16 and float. An int16 tensor need not be quantized: -32768 then stays. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

struct AbsData {
  TensorType type;
  bool quantized;
  bool rescales;
  uint32_t elements;
  int32_t input_zero_point;
  int32_t output_zero_point;
  Multiplier multiplier;
};

bool PrepareAbs(Prepare& op) {
  Tensor input, output;
  AbsData* data = op.Data<AbsData>();
  if (data == nullptr || !op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output) ||
      !ExpectType(op, input, "inputs[0]",
                  TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16) | TypeBit(TensorType::kFloat32)) ||
      !ExpectSameType(op, output, "outputs[0]", input) || !ExpectSameShape(op, input, output)) {
    return false;
  }
  data->type = input.type;
  data->elements = input.elements;
  data->quantized = input.type == TensorType::kInt8 || (input.type == TensorType::kInt16 && input.scale_count != 0);
  if (!data->quantized) return true;
  if (!ExpectQuantized(op, input, "inputs[0]") || !ExpectQuantized(op, output, "outputs[0]")) return false;
  data->input_zero_point = input.zero_point;
  data->output_zero_point = output.zero_point;
  data->rescales = input.scale() != output.scale();
  if (!data->rescales) return true;
  data->multiplier = MakeMultiplier(input.scale(), 1.0f, output.scale());
  return ExpectShift(op, data->multiplier);
}

template <typename T>
void Quantized(const AbsData& data, const Eval& op) {
  constexpr int32_t kHighest = (1 << (8 * sizeof(T) - 1)) - 1;
  const AbsData d = data;  // a byte that is stored may alias anything behind a pointer
  ForEachValue(d.elements, op.Input<T>(0), op.Output<T>(0), [&d](T value) {
    int32_t x = value - d.input_zero_point;
    if (x < 0) x = -x;
    if (d.rescales) x = Requantize(x, d.multiplier.value, d.multiplier.shift);
    return static_cast<T>(Clamp(AddWrapping(x, d.output_zero_point), -kHighest - 1, kHighest));
  });
}

void EvalAbs(const Eval& op) {
  const AbsData& d = op.Data<AbsData>();
  if (d.type == TensorType::kInt8) {
    Quantized<int8_t>(d, op);
  } else if (d.quantized) {
    Quantized<int16_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    ForEachValue(d.elements, op.Input<int16_t>(0), op.Output<int16_t>(0),
                 [](int16_t x) { return static_cast<int16_t>(x < 0 ? -x : x); });
  } else {
    ForEachValue(d.elements, op.Input<float>(0), op.Output<float>(0), [](float x) { return __builtin_fabsf(x); });
  }
}

}  // namespace

extern const OpRegistration kOp_ABS = {schema::kAbs, "ABS", PrepareAbs, EvalAbs};

}  // namespace tinyhil
