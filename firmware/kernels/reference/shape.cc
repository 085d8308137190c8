// SPDX-License-Identifier: Apache-2.0
// SHAPE, of any type: the dimensions as int32. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct ShapeData {
  const int32_t* dims;
  uint32_t rank;
};

bool PrepareShape(Prepare& op) {
  Tensor input, output;
  Table options;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output) ||
      !op.Options(schema::kShapeOptions, &options)) {
    return false;
  }
  if (output.type != TensorType::kInt32) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must be int32", static_cast<uint32_t>(output.type),
                   static_cast<uint32_t>(TensorType::kInt32));
  }
  if (!ExpectDim(op, "outputs[0]", static_cast<int32_t>(output.elements), static_cast<int32_t>(input.rank))) {
    return false;
  }
  ShapeData* data = op.Data<ShapeData>();
  if (data == nullptr) return false;
  *data = {input.dims, input.rank};
  return true;
}

void EvalShape(const Eval& op) {
  const ShapeData& d = op.Data<ShapeData>();
  __builtin_memcpy(op.Output<int32_t>(0), d.dims, 4 * d.rank);
}

}  // namespace

extern const OpRegistration kOp_SHAPE = {schema::kShape, "SHAPE", PrepareShape, EvalShape};

}  // namespace tinyhil
