// SPDX-License-Identifier: Apache-2.0
// RESHAPE, any type: the same bytes under another shape, which the output tensor states. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct ReshapeData {
  uint32_t bytes;
};

bool PrepareReshape(Prepare& op) {
  Tensor input, output;
  if (!op.Expect(1, 2, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (input.type != output.type) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "must have the input's type",
                   static_cast<uint32_t>(output.type), static_cast<uint32_t>(input.type));
  }
  if (input.elements != output.elements) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "must have as many elements as the input", output.elements,
                   input.elements);
  }
  ReshapeData* data = op.Data<ReshapeData>();
  if (data == nullptr) return false;
  data->bytes = input.bytes;
  return true;
}

void EvalReshape(const Eval& op) {
  __builtin_memcpy(op.Output<uint8_t>(0), op.Input<uint8_t>(0), op.Data<ReshapeData>().bytes);
}

}  // namespace

extern const OpRegistration kOp_RESHAPE = {schema::kReshape, "RESHAPE", PrepareReshape, EvalReshape};

}  // namespace tinyhil
