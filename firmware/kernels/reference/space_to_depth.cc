// SPDX-License-Identifier: Apache-2.0
// SPACE_TO_DEPTH, int8 and float32: blocks of pixels become channels. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

bool PrepareSpaceToDepth(Prepare& op) {
  Tensor input, output;
  Table options;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectTypes(op, input, output, Types(TensorType::kInt8, TensorType::kFloat32)) ||
      !ExpectRank(op, input, "inputs[0]", 4) || !ExpectRank(op, output, "outputs[0]", 4) ||
      !op.Options(schema::kSpaceToDepthOptions, &options)) {
    return false;
  }
  const int32_t block = options.I32(schema::kSpaceToDepthBlock, "block_size", 0);
  if (!op.ok()) return false;
  if (block < 1 || input.dim(1) % block != 0 || input.dim(2) % block != 0) {
    return op.Fail(Code::kModelMalformed, "block_size", "does not divide height and width",
                   static_cast<uint32_t>(block));
  }
  const int32_t height = input.dim(1) / block, width = input.dim(2) / block, depth = input.dim(3);
  // The output has as many values, so three dimensions that agree leave the fourth no choice.
  if (!ExpectDim(op, "outputs[0]", output.dim(0), input.dim(0)) ||
      !ExpectDim(op, "outputs[0]", output.dim(1), height) || !ExpectDim(op, "outputs[0]", output.dim(2), width) ||
      !ExpectDim(op, "outputs[0]", static_cast<int32_t>(output.elements), static_cast<int32_t>(input.elements))) {
    return false;
  }
  const int32_t row = input.dim(2) * depth;
  StridedCopy copy = {6,
                      0,
                      0,
                      0,
                      {input.dim(0), height, width, block, block, depth},
                      {input.dim(1) * row, block * row, block * depth, row, depth, 1}};
  Simplify(BytesOf(input.type), &copy);
  StridedCopy* data = op.Data<StridedCopy>();
  if (data == nullptr) return false;
  *data = copy;
  return true;
}

void EvalSpaceToDepth(const Eval& op) { Copy(op.Data<StridedCopy>(), op.Input<uint8_t>(0), op.Output<uint8_t>(0)); }

}  // namespace

extern const OpRegistration kOp_SPACE_TO_DEPTH = {schema::kSpaceToDepth, "SPACE_TO_DEPTH", PrepareSpaceToDepth,
                                                  EvalSpaceToDepth};

}  // namespace tinyhil
