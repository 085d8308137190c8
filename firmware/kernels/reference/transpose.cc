// SPDX-License-Identifier: Apache-2.0
// TRANSPOSE, int8, int16 and float32, up to five dimensions. No scratch; dimensions that stay together are moved as
// one.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxTransposed = 5;

bool PrepareTranspose(Prepare& op) {
  Tensor input, output;
  const int32_t* order;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectTypes(op, input, output, Types(TensorType::kInt8, TensorType::kInt16, TensorType::kFloat32))) return false;
  if (input.rank > kMaxTransposed) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "too many dimensions", input.rank, kMaxTransposed);
  }
  if (!ReadInts(op, 1, "perm", input.rank, &order) || !ExpectRank(op, output, "outputs[0]", input.rank)) return false;
  StridedCopy copy = {};
  copy.rank = input.rank;
  uint32_t seen = 0;
  for (uint32_t i = 0; i < input.rank; ++i) {
    const uint32_t from = static_cast<uint32_t>(order[i]);
    if (from >= input.rank || (seen >> from & 1) != 0) {
      return op.Fail(Code::kModelMalformed, "perm", "not an order of the dimensions", from, input.rank);
    }
    seen |= 1u << from;
    if (!ExpectDim(op, "outputs[0]", output.dim(i), input.dim(from))) return false;
    copy.dims[i] = input.dim(from);
    copy.steps[i] = static_cast<int32_t>(Elements(input, from + 1, input.rank));
  }
  Simplify(BytesOf(input.type), &copy);
  StridedCopy* data = op.Data<StridedCopy>();
  if (data == nullptr) return false;
  *data = copy;
  return true;
}

void EvalTranspose(const Eval& op) { Copy(op.Data<StridedCopy>(), op.Input<uint8_t>(0), op.Output<uint8_t>(0)); }

}  // namespace

extern const OpRegistration kOp_TRANSPOSE = {schema::kTranspose, "TRANSPOSE", PrepareTranspose, EvalTranspose};

}  // namespace tinyhil
