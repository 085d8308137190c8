// SPDX-License-Identifier: Apache-2.0
// RELU, RELU_N1_TO_1 and RELU6: int8, int16 and float.
//
// RELU and RELU_N1_TO_1 rescale to the output's quantization and clamp there; RELU6 clamps the input as it is and never
// looks at the output's quantization, as the oracle's does not. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

struct ReluData {
  TensorType type;
  bool rescales;
  uint32_t elements;
  int32_t input_zero_point;
  int32_t output_zero_point;
  Multiplier multiplier;
  Range range;
  FloatRange float_range;
};

constexpr uint32_t kTypes = TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16) | TypeBit(TensorType::kFloat32);

bool PrepareClamp(Prepare& op, uint8_t activation) {
  Tensor input, output;
  ReluData* data = op.Data<ReluData>();
  if (data == nullptr || !ExpectUnary(op, kTypes, &input, &output)) return false;
  data->type = input.type;
  data->elements = input.elements;
  if (input.type == TensorType::kFloat32) {
    // Without an upper bound infinity stays infinite.
    data->float_range = {activation == schema::kReluN1To1 ? -1.0f : 0.0f, activation == schema::kRelu ? __builtin_inff()
                                                                          : activation == schema::kRelu6 ? 6.0f
                                                                                                         : 1.0f};
    return true;
  }
  data->rescales = activation != schema::kRelu6;
  data->input_zero_point = input.zero_point;
  data->output_zero_point = output.zero_point;
  if (!data->rescales) return ActivationRange(op, activation, input, &data->range);
  data->multiplier = MakeMultiplier(input.scale(), 1.0f, output.scale());
  return ExpectShift(op, data->multiplier) && ActivationRange(op, activation, output, &data->range);
}

template <uint8_t kActivation>
bool PrepareRelu(Prepare& op) {
  return PrepareClamp(op, kActivation);
}

template <typename T>
void Quantized(const ReluData& data, const Eval& op) {
  const ReluData d = data;  // a byte that is stored may alias anything behind a pointer
  const T* in = op.Input<T>(0);
  T* out = op.Output<T>(0);
  if (!d.rescales) {
    ForEachValue(d.elements, in, out, [&d](T x) { return static_cast<T>(Clamp(x, d.range.low, d.range.high)); });
    return;
  }
  ForEachValue(d.elements, in, out, [&d](T x) {
    const int32_t scaled = Requantize(x - d.input_zero_point, d.multiplier.value, d.multiplier.shift);
    return static_cast<T>(Clamp(AddWrapping(scaled, d.output_zero_point), d.range.low, d.range.high));
  });
}

void EvalRelu(const Eval& op) {
  const ReluData& d = op.Data<ReluData>();
  if (d.type == TensorType::kInt8) {
    Quantized<int8_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    Quantized<int16_t>(d, op);
  } else {
    ForEachValue(d.elements, op.Input<float>(0), op.Output<float>(0),
                 [&d](float x) { return ClampFloat(x, d.float_range); });
  }
}

}  // namespace

extern const OpRegistration kOp_RELU = {schema::kReluOp, "RELU", PrepareRelu<schema::kRelu>, EvalRelu};
extern const OpRegistration kOp_RELU_N1_TO_1 = {schema::kReluN1To1Op, "RELU_N1_TO_1", PrepareRelu<schema::kReluN1To1>,
                                                EvalRelu};
extern const OpRegistration kOp_RELU6 = {schema::kRelu6Op, "RELU6", PrepareRelu<schema::kRelu6>, EvalRelu};

}  // namespace tinyhil
