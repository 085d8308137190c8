// SPDX-License-Identifier: Apache-2.0
// HARD_SWISH, x * clamp(x + 3, 0, 6) / 6: int8 and float.
//
// int8 in 16-bit fixed point, whose saturations are part of the result. Persistent: 256 bytes where the
// tensor has as many values.
#include "kernels/ops.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

struct HardSwishData {
  uint32_t elements;
  const int8_t* table;  // null: compute each value
  TensorType type;
  int32_t input_zero_point;
  int32_t output_zero_point;
  // 16-bit multipliers of the input times 128: to the output's scale, and to where 3 is 2^15.
  Multiplier output;
  Multiplier gate;
};

inline int32_t Saturate16(int32_t x) { return Clamp(x, -32768, 32767); }

// round(a * b / 2^15), halves away from zero, for 16-bit numbers of which b is not -2^15.
inline int32_t HighMul16(int32_t a, int32_t b) {
  const int32_t product = a * b;
  return (product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15);
}

int8_t One(const HardSwishData& d, int32_t value) {
  const int32_t input = (value - d.input_zero_point) * 128;
  const int32_t unshifted = HighMul16(input, d.output.value);
  // x / 3, in Q0.15. All but the last bit of a left shift comes before the multiplication, as it cannot matter there.
  int32_t gate = input;
  if (d.gate.shift > 0) gate = Saturate16(gate * (1 << (d.gate.shift - 1)));
  gate = HighMul16(gate, d.gate.value);
  if (d.gate.shift > 0) gate = Saturate16(gate * 2);
  if (d.gate.shift < 0) gate = RoundingShiftRight(gate, -d.gate.shift);
  gate = (gate + (1 << 15)) >> 1;
  const int32_t product = gate * unshifted / (1 << 15);  // towards zero
  const int32_t output = RoundingShiftRight(product, -d.output.shift) + d.output_zero_point;
  return static_cast<int8_t>(Clamp(output, -128, 127));
}

// A 31-bit multiplier's upper 16 bits, rounded.
Multiplier To16Bits(const Multiplier& m) {
  constexpr int32_t kHalf = 1 << 15;
  return {m.value >= INT32_MAX - kHalf ? INT16_MAX : (m.value + kHalf) >> 16, m.shift};
}

bool PrepareHardSwish(Prepare& op) {
  Tensor input, output;
  HardSwishData* data = op.Data<HardSwishData>();
  if (data == nullptr ||
      !ExpectUnary(op, TypeBit(TensorType::kInt8) | TypeBit(TensorType::kFloat32), &input, &output)) {
    return false;
  }
  data->elements = input.elements;
  data->type = input.type;
  if (input.type == TensorType::kFloat32) return true;
  data->input_zero_point = input.zero_point;
  data->output_zero_point = output.zero_point;
  const float fine = 1.0f / 128.0f * input.scale();
  const float to_output = fine / output.scale(), to_gate = fine / (3.0f / 32768.0f);
  if (!ExpectRatio(op, to_output) || !ExpectRatio(op, to_gate)) return false;
  data->output = To16Bits(MultiplierOf(to_output));
  data->gate = To16Bits(MultiplierOf(to_gate));
  if (data->output.shift > 0) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "scale below 1/128 of the input's");
  }
  if (data->output.shift < -15 || data->gate.shift < -15 || data->gate.shift > 15) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "scale too far from 1 or from the output's for 16 bits");
  }
  return MakeTable<HardSwishData, One>(op, data);
}

void EvalHardSwish(const Eval& op) {
  const HardSwishData& d = op.Data<HardSwishData>();
  if (d.type == TensorType::kInt8) return EvalTable<HardSwishData, One>(d, op);
  ForEachValue(d.elements, op.Input<float>(0), op.Output<float>(0), [](float x) {
    const float shifted = x + 3.0f;
    const float positive = 0.0f < shifted ? shifted : 0.0f;
    return x * (positive < 6.0f ? positive : 6.0f) / 6.0f;
  });
}

}  // namespace

extern const OpRegistration kOp_HARD_SWISH = {schema::kHardSwish, "HARD_SWISH", PrepareHardSwish, EvalHardSwish};

}  // namespace tinyhil
