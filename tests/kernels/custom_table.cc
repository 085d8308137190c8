// SPDX-License-Identifier: Apache-2.0
// An image's operator table as a user writes it: one builtin operator, and a custom one found by its name.
#include "interpreter/resolver.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct NegateData {
  uint32_t elements;
};

bool PrepareNegate(Prepare& op) {
  Tensor input, output;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (input.type != TensorType::kInt8 || output.elements != input.elements) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "must be int8, as large as the output");
  }
  NegateData* data = op.Data<NegateData>();
  if (data == nullptr) return false;
  data->elements = input.elements;
  return true;
}

void EvalNegate(const Eval& op) {
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  for (uint32_t i = 0; i < op.Data<NegateData>().elements; ++i) {
    out[i] = static_cast<int8_t>(in[i] == -128 ? 127 : -in[i]);
  }
}

const OpRegistration kNegate = {schema::kCustom, "Negate", PrepareNegate, EvalNegate};

}  // namespace

const OpRegistration* const kOps[] = {&kOp_RESHAPE, &kNegate};
const uint32_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);

}  // namespace tinyhil
