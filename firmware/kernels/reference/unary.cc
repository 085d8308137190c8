// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/unary.h"

namespace tinyhil {

bool ExpectUnary(Prepare& op, uint32_t types, Tensor* input, Tensor* output) {
  if (!op.Expect(1, 1, 1) || !op.Input(0, input) || !op.Output(0, output) ||
      !ExpectType(op, *input, "inputs[0]", types) || !ExpectSameType(op, *output, "outputs[0]", *input) ||
      !ExpectSameShape(op, *input, *output)) {
    return false;
  }
  if (input->type != TensorType::kInt8 && input->type != TensorType::kInt16) return true;
  return ExpectQuantized(op, *input, "inputs[0]") && ExpectQuantized(op, *output, "outputs[0]");
}

}  // namespace tinyhil
