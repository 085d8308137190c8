// SPDX-License-Identifier: Apache-2.0
// ADD and SUB: what they share, and what every kernel set checks.
#ifndef TINYHIL_KERNELS_REFERENCE_ADD_H_
#define TINYHIL_KERNELS_REFERENCE_ADD_H_

#include "kernels/reference/broadcast.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct AddData {
  static constexpr int32_t kHeadroom = 20;  // bits that int8 inputs are shifted left by; int16 ones by 15

  TensorType type;
  Broadcast shape;
  uint32_t elements;  // where both inputs are int8 and have the output's shape; else 0
  // int8 and int16
  int32_t zero_point[2];
  Multiplier multiplier[2];
  Multiplier sum;
  int32_t output_zero_point;
  Range range;  // of int32 too
  FloatRange float_range;
};

// Checks all and fills `data`; takes no memory.
bool CheckAdd(Prepare& op, AddData* data);
bool CheckSub(Prepare& op, AddData* data);

template <bool kSubtract, int32_t kHeadroom, typename T>
inline void AddQuantized(const AddData& data, const Eval& op) {
  const AddData d = data;  // a byte that is stored may alias anything behind a pointer
  ForEachPair(d.shape, op.Input<T>(0), op.Input<T>(1), op.Output<T>(0), [&d](int32_t a, int32_t b) {
    const int32_t x = ShiftLeft(a - d.zero_point[0], kHeadroom), y = ShiftLeft(b - d.zero_point[1], kHeadroom);
    const int32_t u = RoundingShiftRight(DoublingHighMulPositive(x, d.multiplier[0].value), -d.multiplier[0].shift);
    const int32_t v = RoundingShiftRight(DoublingHighMulPositive(y, d.multiplier[1].value), -d.multiplier[1].shift);
    const int32_t sum = kSubtract ? u - v : u + v;
    const int32_t scaled = RoundingShiftRight(DoublingHighMulPositive(sum, d.sum.value), -d.sum.shift);
    return static_cast<T>(Clamp(scaled + d.output_zero_point, d.range.low, d.range.high));
  });
}

template <bool kSubtract>
void EvalAddOrSub(const Eval& op) {
  const AddData& d = op.Data<AddData>();
  if (d.type == TensorType::kInt8) {
    AddQuantized<kSubtract, AddData::kHeadroom, int8_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    AddQuantized<kSubtract, 15, int16_t>(d, op);
  } else if (d.type == TensorType::kInt32) {
    ForEachPair(d.shape, op.Input<uint32_t>(0), op.Input<uint32_t>(1), op.Output<int32_t>(0),
                [&d](uint32_t a, uint32_t b) {
                  return Clamp(static_cast<int32_t>(kSubtract ? a - b : a + b), d.range.low, d.range.high);
                });
  } else {
    ForEachPair(d.shape, op.Input<float>(0), op.Input<float>(1), op.Output<float>(0),
                [&d](float a, float b) { return ClampFloat(kSubtract ? a - b : a + b, d.float_range); });
  }
}

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_ADD_H_
