// SPDX-License-Identifier: Apache-2.0
// MUL, int8, of two inputs of one shape, by arm_elementwise_mul_s8; other types and broadcasting are the reference's.
// No scratch.
#include "kernels/reference/mul.h"

#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct ProductData {
  mutable uint32_t runs;
  int32_t elements;
  int32_t offset[2];
  Multiplier multiplier;
  int32_t output_offset;
  Range range;
};

bool PrepareMul(Prepare& op) {
  MulData mul;
  if (!CheckMul(op, &mul)) return false;
  if (mul.type != TensorType::kInt8 || !IsFlat(mul.shape)) return op.Hand(kOp_MUL);
  ProductData* data = op.Data<ProductData>();
  if (data == nullptr) return false;
  *data = {0,        mul.shape.dims[0], {-mul.zero_point[0], -mul.zero_point[1]}, mul.multiplier, mul.output_zero_point,
           mul.range};
  return true;
}

void EvalMul(const Eval& op) {
  const ProductData& d = op.Data<ProductData>();
  Count(d.runs, arm_elementwise_mul_s8(op.Input<int8_t>(0), op.Input<int8_t>(1), d.offset[0], d.offset[1],
                                       op.Output<int8_t>(0), d.output_offset, d.multiplier.value, d.multiplier.shift,
                                       d.range.low, d.range.high, d.elements));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_MUL = {schema::kMul, "MUL", PrepareMul, EvalMul, "cmsis_nn", true};

}  // namespace tinyhil
