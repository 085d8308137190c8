// SPDX-License-Identifier: Apache-2.0
// LOGISTIC and TANH, int8 in and out.
//
// Fixed point throughout: the input is brought to Q4.27, the function computed from exp of its negative, the result
// rounded to 8 bits. Beyond the input whose Q4.27 form is 15 the output is at its end. Persistent: 256 bytes where the
// tensor has as many values.
#include "kernels/ops.h"
#include "kernels/reference/fixed_point.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

constexpr int32_t kInputBits = 4;

struct SigmoidData {
  uint32_t elements;
  const int8_t* table;  // null: compute each value
  int32_t zero_point;
  int32_t radius;
  Multiplier multiplier;  // to Q4.27
};

inline int32_t Negative(int32_t x) { return x < 0 ? x : -x; }

// 1 / (1 + exp(-x)), Q0.31, of Q4.27.
int32_t Logistic(int32_t x) {
  if (x == 0) return 1 << 30;
  const int32_t positive = ReciprocalOfOnePlus(ExpOfNegative<kInputBits>(Negative(x)));
  return x > 0 ? positive : INT32_MAX - positive;
}

// tanh(x), Q0.31, of Q4.27: the same bits as Q5.26 are 2x.
int32_t Tanh(int32_t x) {
  if (x == 0) return 0;
  const int32_t positive = OneMinusOverOnePlus(ExpOfNegative<kInputBits + 1>(Negative(x)));
  return x > 0 ? positive : -positive;
}

// The output is `function` of the input, at kFraction bits and less kOffset.
template <int32_t (*kFunction)(int32_t), int32_t kFraction, int32_t kOffset>
int8_t One(const SigmoidData& d, int32_t value) {
  const int32_t input = value - d.zero_point;
  if (input <= -d.radius) return -128;
  if (input >= d.radius) return 127;
  const int32_t x = Requantize(input, d.multiplier.value, d.multiplier.shift);
  return static_cast<int8_t>(Clamp(RoundingShiftRight(kFunction(x), 31 - kFraction) - kOffset, -128, 127));
}

constexpr auto kLogisticOne = One<Logistic, 8, 128>;
constexpr auto kTanhOne = One<Tanh, 7, 0>;

bool CheckSigmoid(Prepare& op, Tensor* output, SigmoidData* data) {
  Tensor input;
  if (!ExpectUnary(op, TypeBit(TensorType::kInt8), &input, output)) return false;
  data->elements = input.elements;
  data->zero_point = input.zero_point;
  data->multiplier = MultiplierOf(input.scale());
  data->multiplier.shift += 31 - kInputBits;
  const int32_t shift = data->multiplier.shift;
  if (data->multiplier.value == 0 || shift < 0) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "scale below 2^-28");
  }
  // The largest input whose Q4.27 form is at most 15.
  const int32_t largest = ((1 << kInputBits) - 1) << (31 - kInputBits);
  data->radius = shift > 31 ? 0 : largest >> shift;
  return true;
}

bool PrepareLogistic(Prepare& op) {
  Tensor output;
  SigmoidData* data = op.Data<SigmoidData>();
  if (data == nullptr || !CheckSigmoid(op, &output, data)) return false;
  if (output.zero_point != -128) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must have the zero point -128",
                   static_cast<uint32_t>(output.zero_point), static_cast<uint32_t>(-128));
  }
  return MakeTable<SigmoidData, kLogisticOne>(op, data);
}

bool PrepareTanh(Prepare& op) {
  Tensor output;
  SigmoidData* data = op.Data<SigmoidData>();
  return data != nullptr && CheckSigmoid(op, &output, data) && MakeTable<SigmoidData, kTanhOne>(op, data);
}

void EvalLogistic(const Eval& op) { EvalTable<SigmoidData, kLogisticOne>(op.Data<SigmoidData>(), op); }
void EvalTanh(const Eval& op) { EvalTable<SigmoidData, kTanhOne>(op.Data<SigmoidData>(), op); }

}  // namespace

extern const OpRegistration kOp_LOGISTIC = {schema::kLogistic, "LOGISTIC", PrepareLogistic, EvalLogistic};
extern const OpRegistration kOp_TANH = {schema::kTanhOp, "TANH", PrepareTanh, EvalTanh};

}  // namespace tinyhil
