// SPDX-License-Identifier: Apache-2.0
// DEPTH_TO_SPACE, int8 and float32: channels become blocks of pixels. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

bool PrepareDepthToSpace(Prepare& op) {
  Tensor input, output;
  Table options;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectTypes(op, input, output, Types(TensorType::kInt8, TensorType::kFloat32)) ||
      !ExpectRank(op, input, "inputs[0]", 4) || !ExpectRank(op, output, "outputs[0]", 4) ||
      !op.Options(schema::kDepthToSpaceOptions, &options)) {
    return false;
  }
  const int32_t block = options.I32(schema::kDepthToSpaceBlock, "block_size", 0);
  if (!op.ok()) return false;
  if (block < 1 || block > 1024 || input.dim(3) % (block * block) != 0) {
    return op.Fail(Code::kModelMalformed, "block_size", "does not divide the channels", static_cast<uint32_t>(block),
                   static_cast<uint32_t>(input.dim(3)));
  }
  const int32_t height = input.dim(1), width = input.dim(2), depth = input.dim(3) / (block * block);
  if (!ExpectDim(op, "outputs[0]", output.dim(0), input.dim(0)) ||
      !ExpectDim(op, "outputs[0]", output.dim(1) / block, height) ||
      !ExpectDim(op, "outputs[0]", output.dim(1) % block, 0) ||
      !ExpectDim(op, "outputs[0]", output.dim(2) / block, width) ||
      !ExpectDim(op, "outputs[0]", output.dim(2) % block, 0) || !ExpectDim(op, "outputs[0]", output.dim(3), depth)) {
    return false;
  }
  const int32_t pixel = input.dim(3);
  StridedCopy copy = {6,
                      0,
                      0,
                      0,
                      {input.dim(0), height, block, width, block, depth},
                      {height * width * pixel, width * pixel, block * depth, pixel, depth, 1}};
  Simplify(BytesOf(input.type), &copy);
  StridedCopy* data = op.Data<StridedCopy>();
  if (data == nullptr) return false;
  *data = copy;
  return true;
}

void EvalDepthToSpace(const Eval& op) { Copy(op.Data<StridedCopy>(), op.Input<uint8_t>(0), op.Output<uint8_t>(0)); }

}  // namespace

extern const OpRegistration kOp_DEPTH_TO_SPACE = {schema::kDepthToSpace, "DEPTH_TO_SPACE", PrepareDepthToSpace,
                                                  EvalDepthToSpace};

}  // namespace tinyhil
