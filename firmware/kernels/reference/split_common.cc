// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/split_common.h"

#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kTypes = Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kFloat32);

}  // namespace

bool PrepareSplit(Prepare& op, uint32_t input_at, uint32_t axis_at, bool even) {
  Tensor input, output;
  const int32_t* wanted;
  uint32_t axis;
  if (!op.Input(input_at, &input) || !ReadInts(op, axis_at, "axis", 1, &wanted) ||
      !ReadAxis(op, "axis", *wanted, input.rank, &axis)) {
    return false;
  }
  if (op.output_count() == 0) return op.Fail(Code::kModelMalformed, "outputs", "there is none", 0, 1);
  Pieces* pieces = MakePieces(op, Elements(input, 0, axis), op.output_count());
  if (pieces == nullptr) return false;
  const uint32_t below = Elements(input, axis + 1, input.rank) * BytesOf(input.type);
  int32_t left = input.dim(axis), first = 0;
  for (uint32_t i = 0; i < op.output_count(); ++i) {
    if (!op.Output(i, &output) || !ExpectTypes(op, input, output, kTypes) ||
        !ExpectRank(op, output, "outputs", input.rank)) {
      return false;
    }
    for (uint32_t k = 0; k < input.rank; ++k) {
      if (k != axis && !ExpectDim(op, "outputs", output.dim(k), input.dim(k))) return false;
    }
    const int32_t size = output.dim(axis);
    if (i == 0) first = size;
    if (even && !ExpectDim(op, "outputs", size, first)) return false;
    if (size > left) return ExpectDim(op, "outputs", size, left);
    left -= size;
    pieces->bytes[i] = static_cast<uint32_t>(size) * below;
  }
  return ExpectDim(op, "outputs", left, 0);
}

void EvalSplit(const Eval& op, uint32_t input) {
  const Pieces& pieces = op.Data<Pieces>();
  const uint8_t* in = op.Input<uint8_t>(input);
  for (uint32_t k = 0; k < pieces.outer; ++k) {
    for (uint32_t i = 0; i < pieces.count; ++i) {
      const uint32_t bytes = pieces.bytes[i];
      CopyBytes(op.Output<uint8_t>(i) + k * bytes, in, bytes);
      in += bytes;
    }
  }
}

}  // namespace tinyhil
