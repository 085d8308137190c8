// SPDX-License-Identifier: Apache-2.0
// ELU, int8: a table of 256 values, computed in float when the operator is prepared. Persistent: 264 bytes.
//
// exp is computed in 64-bit fixed point and rounded once, so that no library's rounding shows.
#include "kernels/ops.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

struct EluData {
  uint32_t elements;
  const int8_t* table;
};

// The upper 64 bits of a product.
uint64_t HighMul64(uint64_t a, uint64_t b) {
  const uint64_t a0 = static_cast<uint32_t>(a), a1 = a >> 32, b0 = static_cast<uint32_t>(b), b1 = b >> 32;
  const uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
  const uint64_t other = a0 * b1 + static_cast<uint32_t>(middle);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

// exp(-x) as float, for x > 0; 0 where less than a quarter unit of 1.0f's last bit is left.
float ExpOfMinus(float x) {
  // exp of -16, -8, ... -2^-8, in units of 2^-64
  static constexpr uint64_t kPowers[] = {0x000001E355BBAEE8, 0x0015FC21041027AC, 0x04B0556E084F3D1D, 0x22A555477F03973F,
                                         0x5E2D58D8B3BCDF1A, 0x9B4597E37CB04FF3, 0xC75F7CF564105743, 0xE1EB51276C110C3C,
                                         0xF07D5FDE38151E72, 0xF81FAB5445AEBC8A, 0xFC07F55FF77D2493, 0xFE01FEAB551127CB,
                                         0xFF007FD55FFDDE38};
  if (x >= 18.0f) return 0.0f;
  // x in units of 2^-56. Below 2^-24 the lowest bits of x are lost, which is far below the result's last.
  const uint32_t whole = static_cast<uint32_t>(x * 0x1p24f);
  const float rest = x - static_cast<float>(whole) * 0x1p-24f;
  const uint64_t fixed = (static_cast<uint64_t>(whole) << 32) + static_cast<uint32_t>(rest * 0x1p56f);
  // 1 - r + r^2/2 - r^3/6 + r^4/24 for the bits below 2^-8, in units of 2^-64 but for the 1.
  constexpr uint64_t kThird = 0x5555555555555555;
  const uint64_t r = (fixed & ((uint64_t{1} << 48) - 1)) << 8;
  const uint64_t fourth = r >> 2;
  const uint64_t third = HighMul64(HighMul64(r, kThird), ~fourth);
  const uint64_t second = HighMul64(r, ~third) >> 1;
  uint64_t value = ~HighMul64(r, ~second);
  for (uint32_t i = 0; i < 13; ++i) {
    if ((fixed >> (60 - i) & 1) != 0) value = HighMul64(value, kPowers[i]);
  }
  // To 24 bits, ties to even: below a sum of two floats nothing is rounded twice.
  const int32_t up = __builtin_clzll(value);
  value <<= up;
  const uint64_t dropped = value & ((uint64_t{1} << 40) - 1), half = uint64_t{1} << 39;
  uint32_t mantissa = static_cast<uint32_t>(value >> 40);
  if (dropped > half || (dropped == half && (mantissa & 1) != 0)) ++mantissa;
  const uint32_t bits = (static_cast<uint32_t>(126 - up) << 23) + (mantissa - (1u << 23));
  float result;
  __builtin_memcpy(&result, &bits, 4);
  return result;
}

bool PrepareElu(Prepare& op) {
  Tensor input, output;
  EluData* data = op.Data<EluData>();
  if (data == nullptr || !ExpectUnary(op, TypeBit(TensorType::kInt8), &input, &output)) return false;
  if (!(input.scale() * 512.0f / output.scale() < 2147483648.0f)) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "scale too small for the input's");
  }
  int8_t* table = op.Persistent<int8_t>(kTableSize);
  if (table == nullptr) return false;
  const float inverse = 1.0f / output.scale();
  for (int32_t value = -128; value < 128; ++value) {
    const float x = input.scale() * static_cast<float>(value - input.zero_point);
    const float y = x < 0.0f ? ExpOfMinus(-x) - 1.0f : x;
    table[value + 128] = static_cast<int8_t>(Clamp(RoundToInt(y * inverse) + output.zero_point, -128, 127));
  }
  data->elements = input.elements;
  data->table = table;
  return true;
}

void EvalElu(const Eval& op) {
  const EluData& d = op.Data<EluData>();
  const int8_t* const table = d.table + 128;
  ForEachValue(d.elements, op.Input<int8_t>(0), op.Output<int8_t>(0), [table](int8_t x) { return table[x]; });
}

}  // namespace

extern const OpRegistration kOp_ELU = {schema::kElu, "ELU", PrepareElu, EvalElu};

}  // namespace tinyhil
