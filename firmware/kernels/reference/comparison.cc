// SPDX-License-Identifier: Apache-2.0
// EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL: int8, int32, int64 and float, the first two bool
// too, with broadcasting.
//
// int8 values are compared after each is brought to the same fixed-point scale, with 8 bits of headroom; where the two
// scales differ, what rounds to the same number is equal. One loop a type serves all six. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/broadcast.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr int32_t kHeadroom = 8;

// How two values relate; an operator is the set of relations for which it holds.
enum Relation : uint8_t { kIsLess = 1, kIsEqual = 2, kIsGreater = 4, kIsUnordered = 8 };

struct CompareData {
  TensorType type;
  uint8_t holds;
  Broadcast shape;
  // int8
  int32_t zero_point[2];
  Multiplier multiplier[2];
};

constexpr uint32_t kOrderedTypes = TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt32) |
                                   TypeBit(TensorType::kInt64) | TypeBit(TensorType::kFloat32);

bool PrepareCompare(Prepare& op, uint32_t holds, uint32_t types) {
  Tensor inputs[2], output;
  CompareData* data = op.Data<CompareData>();
  if (data == nullptr || !op.Expect(2, 2, 1) || !op.Input(0, &inputs[0]) || !op.Input(1, &inputs[1]) ||
      !op.Output(0, &output) || !ExpectType(op, inputs[0], "inputs[0]", types) ||
      !ExpectSameType(op, inputs[1], "inputs[1]", inputs[0]) ||
      !ExpectType(op, output, "outputs[0]", TypeBit(TensorType::kBool)) ||
      !MakeBroadcast(op, inputs[0], inputs[1], output, &data->shape)) {
    return false;
  }
  data->type = inputs[0].type;
  data->holds = static_cast<uint8_t>(holds);
  if (data->type != TensorType::kInt8) return true;
  for (uint32_t k = 0; k < 2; ++k) {
    if (!ExpectQuantized(op, inputs[k], "inputs")) return false;
    if (!(inputs[k].scale() < 1.0f)) {
      return op.Fail(Code::kModelUnsupported, "inputs", "an int8 tensor that is compared must have a scale below 1");
    }
    data->zero_point[k] = inputs[k].zero_point;
    data->multiplier[k] = MultiplierOf(inputs[k].scale());
  }
  return true;
}

template <uint32_t kHolds>
bool PrepareOrder(Prepare& op) {
  return PrepareCompare(op, kHolds, kOrderedTypes);
}

template <uint32_t kHolds>
bool PrepareEquality(Prepare& op) {
  return PrepareCompare(op, kHolds, kOrderedTypes | TypeBit(TensorType::kBool));
}

template <typename T>
inline uint32_t Relate(T a, T b) {
  return a < b ? kIsLess : a > b ? kIsGreater : a == b ? kIsEqual : kIsUnordered;
}

template <typename T>
void Compare(const CompareData& d, const Eval& op) {
  const uint32_t holds = d.holds;
  ForEachPair(d.shape, op.Input<T>(0), op.Input<T>(1), op.Output<uint8_t>(0),
              [holds](T a, T b) { return static_cast<uint8_t>((Relate(a, b) & holds) != 0); });
}

void CompareInt8(const CompareData& data, const Eval& op) {
  const CompareData d = data;  // a byte that is stored may alias anything behind a pointer
  const auto scaled = [&d](uint32_t k, int32_t value) {
    const int32_t x = ShiftLeft(value - d.zero_point[k], kHeadroom);
    return RoundingShiftRight(DoublingHighMulPositive(x, d.multiplier[k].value), -d.multiplier[k].shift);
  };
  ForEachPair(d.shape, op.Input<int8_t>(0), op.Input<int8_t>(1), op.Output<uint8_t>(0),
              [&d, &scaled](int32_t a, int32_t b) {
                return static_cast<uint8_t>((Relate(scaled(0, a), scaled(1, b)) & d.holds) != 0);
              });
}

void EvalComparison(const Eval& op) {
  const CompareData& d = op.Data<CompareData>();
  switch (d.type) {
    case TensorType::kInt8:
      return CompareInt8(d, op);
    case TensorType::kBool:
      return Compare<uint8_t>(d, op);
    case TensorType::kInt32:
      return Compare<int32_t>(d, op);
    case TensorType::kInt64:
      return Compare<int64_t>(d, op);
    default:
      return Compare<float>(d, op);
  }
}

}  // namespace

extern const OpRegistration kOp_EQUAL = {schema::kEqual, "EQUAL", PrepareEquality<kIsEqual>, EvalComparison};
extern const OpRegistration kOp_NOT_EQUAL = {schema::kNotEqual, "NOT_EQUAL",
                                             PrepareEquality<kIsLess | kIsGreater | kIsUnordered>, EvalComparison};
extern const OpRegistration kOp_GREATER = {schema::kGreater, "GREATER", PrepareOrder<kIsGreater>, EvalComparison};
extern const OpRegistration kOp_GREATER_EQUAL = {schema::kGreaterEqual, "GREATER_EQUAL",
                                                 PrepareOrder<kIsGreater | kIsEqual>, EvalComparison};
extern const OpRegistration kOp_LESS = {schema::kLess, "LESS", PrepareOrder<kIsLess>, EvalComparison};
extern const OpRegistration kOp_LESS_EQUAL = {schema::kLessEqual, "LESS_EQUAL", PrepareOrder<kIsLess | kIsEqual>,
                                              EvalComparison};

}  // namespace tinyhil
