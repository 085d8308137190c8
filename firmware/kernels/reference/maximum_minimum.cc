// SPDX-License-Identifier: Apache-2.0
// MAXIMUM and MINIMUM: int8, int16, int32, int64 and float, with broadcasting. Values are compared as they are: all
// three tensors must share one quantization. No scratch.
#include "kernels/reference/maximum_minimum.h"

#include "kernels/ops.h"

namespace tinyhil {

bool CheckExtreme(Prepare& op, ExtremeData* data) {
  Tensor a, b, output;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &a) || !op.Input(1, &b) || !op.Output(0, &output) ||
      !ExpectType(op, a, "inputs[0]", kArithmeticTypes | TypeBit(TensorType::kInt64)) ||
      !ExpectSameType(op, b, "inputs[1]", a) || !ExpectSameType(op, output, "outputs[0]", a)) {
    return false;
  }
  data->type = output.type;
  return MakeBroadcast(op, a, b, output, &data->shape);
}

namespace {

bool PrepareExtreme(Prepare& op) {
  ExtremeData* data = op.Data<ExtremeData>();
  return data != nullptr && CheckExtreme(op, data);
}

// Of two that are neither above nor below each other (equal, or one is no number) the second is taken.
template <bool kMaximum, typename T>
void Extreme(const ExtremeData& d, const Eval& op) {
  ForEachPair(d.shape, op.Input<T>(0), op.Input<T>(1), op.Output<T>(0),
              [](T a, T b) { return (kMaximum ? a > b : a < b) ? a : b; });
}

template <bool kMaximum>
void EvalExtreme(const Eval& op) {
  const ExtremeData& d = op.Data<ExtremeData>();
  switch (d.type) {
    case TensorType::kInt8:
      return Extreme<kMaximum, int8_t>(d, op);
    case TensorType::kInt16:
      return Extreme<kMaximum, int16_t>(d, op);
    case TensorType::kInt32:
      return Extreme<kMaximum, int32_t>(d, op);
    case TensorType::kInt64:
      return Extreme<kMaximum, int64_t>(d, op);
    default:
      return Extreme<kMaximum, float>(d, op);
  }
}

}  // namespace

extern const OpRegistration kOp_MAXIMUM = {schema::kMaximum, "MAXIMUM", PrepareExtreme, EvalExtreme<true>};
extern const OpRegistration kOp_MINIMUM = {schema::kMinimum, "MINIMUM", PrepareExtreme, EvalExtreme<false>};

}  // namespace tinyhil
