// SPDX-License-Identifier: Apache-2.0
// EXPAND_DIMS, int8, int16 and float32: a new dimension of 1, the bytes stay. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct ExpandData {
  uint32_t bytes;
};

bool PrepareExpand(Prepare& op) {
  Tensor input, output;
  const int32_t* wanted;
  uint32_t axis;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Output(0, &output) ||
      !ExpectTypes(op, input, output, Types(TensorType::kInt8, TensorType::kInt16, TensorType::kFloat32)) ||
      !ReadInts(op, 1, "axis", 1, &wanted) || !ReadAxis(op, "axis", *wanted, input.rank + 1, &axis) ||
      !ExpectRank(op, output, "outputs[0]", input.rank + 1)) {
    return false;
  }
  for (uint32_t i = 0; i < output.rank; ++i) {
    const int32_t want = i == axis ? 1 : input.dim(i < axis ? i : i - 1);
    if (!ExpectDim(op, "outputs[0]", output.dim(i), want)) return false;
  }
  ExpandData* data = op.Data<ExpandData>();
  if (data == nullptr) return false;
  data->bytes = input.bytes;
  return true;
}

void EvalExpand(const Eval& op) {
  __builtin_memcpy(op.Output<uint8_t>(0), op.Input<uint8_t>(0), op.Data<ExpandData>().bytes);
}

}  // namespace

extern const OpRegistration kOp_EXPAND_DIMS = {schema::kExpandDims, "EXPAND_DIMS", PrepareExpand, EvalExpand};

}  // namespace tinyhil
