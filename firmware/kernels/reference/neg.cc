// SPDX-License-Identifier: Apache-2.0
// NEG, float: the oracle has it in no other type. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/unary.h"

namespace tinyhil {
namespace {

struct NegData {
  uint32_t elements;
};

bool PrepareNeg(Prepare& op) {
  Tensor input, output;
  NegData* data = op.Data<NegData>();
  if (data == nullptr || !ExpectUnary(op, TypeBit(TensorType::kFloat32), &input, &output)) return false;
  data->elements = input.elements;
  return true;
}

void EvalNeg(const Eval& op) {
  ForEachValue(op.Data<NegData>().elements, op.Input<float>(0), op.Output<float>(0), [](float x) { return -x; });
}

}  // namespace

extern const OpRegistration kOp_NEG = {schema::kNeg, "NEG", PrepareNeg, EvalNeg};

}  // namespace tinyhil
