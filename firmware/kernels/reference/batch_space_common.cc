// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/batch_space_common.h"

#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

bool PrepareBatchSpace(Prepare& op, const Tensor& large, const Tensor& small, const char* margins) {
  if (!ExpectTypes(op, large, small, Types(TensorType::kInt8, TensorType::kFloat32))) return false;
  if (large.rank < 3 || large.rank > 4) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "must have three or four dimensions", large.rank, 4);
  }
  const uint32_t space = large.rank - 2;
  const int32_t *block, *margin;
  if (!ExpectRank(op, small, "outputs[0]", large.rank) || !ReadInts(op, 1, "block_shape", space, &block) ||
      !ReadInts(op, 2, margins, 2 * space, &margin)) {
    return false;
  }
  int32_t images = 1;
  const int32_t limit = 1 << 15;
  for (uint32_t i = 0; i < space; ++i) {
    const int32_t before = margin[2 * i], after = margin[2 * i + 1];
    if (block[i] < 1 || block[i] >= limit) {
      return op.Fail(Code::kModelMalformed, "block_shape", "below 1", static_cast<uint32_t>(block[i]), 1);
    }
    if (before < 0 || after < 0 || before >= limit || after >= limit || large.dim(i + 1) >= limit ||
        small.dim(i + 1) >= limit) {
      return op.Fail(Code::kModelUnsupported, margins, "negative, or 32768 and more");
    }
    if (!ExpectDim(op, margins, large.dim(i + 1) + before + after, small.dim(i + 1) * block[i])) return false;
    images *= block[i];
  }
  if (!ExpectDim(op, "outputs[0]", small.dim(0) % images, 0) ||
      !ExpectDim(op, "outputs[0]", large.dim(0), small.dim(0) / images) ||
      !ExpectDim(op, "outputs[0]", large.dim(space + 1), small.dim(space + 1))) {
    return false;
  }
  BatchSpace* data = op.Data<BatchSpace>();
  if (data == nullptr) return false;
  const bool flat = space == 1;
  *data = {large.dim(0),
           block[0],
           flat ? 1 : block[1],
           large.dim(1),
           flat ? 1 : large.dim(2),
           small.dim(1),
           flat ? 1 : small.dim(2),
           margin[0],
           flat ? 0 : margin[2],
           static_cast<uint32_t>(large.dim(space + 1)) * BytesOf(large.type)};
  return true;
}

}  // namespace tinyhil
