// SPDX-License-Identifier: Apache-2.0
// BATCH_TO_SPACE_ND, int8 and float32, one or two dimensions of space. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/batch_space_common.h"
#include "kernels/reference/move_common.h"

namespace tinyhil {
namespace {

bool PrepareBatchToSpace(Prepare& op) {
  Tensor input, output;
  Table options;
  return op.Expect(3, 3, 1) && op.Input(0, &input) && op.Output(0, &output) &&
         op.Options(schema::kBatchToSpaceNdOptions, &options) && PrepareBatchSpace(op, output, input, "crops");
}

// Every pixel of every small image, to its place if the large one has it.
void EvalBatchToSpace(const Eval& op) {
  const BatchSpace& d = op.Data<BatchSpace>();
  const uint8_t* in = op.Input<uint8_t>(0);
  uint8_t* out = op.Output<uint8_t>(0);
  const int32_t pixel = static_cast<int32_t>(d.pixel_bytes);
  for (int32_t from_y = -d.top; from_y < d.block_h - d.top; ++from_y) {
    for (int32_t from_x = -d.left; from_x < d.block_w - d.left; ++from_x) {
      for (int32_t batch = 0; batch < d.batches; ++batch) {
        uint8_t* image = out + batch * d.large_h * d.large_w * pixel;
        int32_t y = from_y;
        for (int32_t row = 0; row < d.small_h; ++row, y += d.block_h) {
          const bool inside = y >= 0 && y < d.large_h;
          int32_t x = from_x;
          for (int32_t column = 0; column < d.small_w; ++column, x += d.block_w, in += pixel) {
            if (inside && x >= 0 && x < d.large_w) CopyBytes(image + (y * d.large_w + x) * pixel, in, d.pixel_bytes);
          }
        }
      }
    }
  }
}

}  // namespace

extern const OpRegistration kOp_BATCH_TO_SPACE_ND = {schema::kBatchToSpaceNd, "BATCH_TO_SPACE_ND", PrepareBatchToSpace,
                                                     EvalBatchToSpace};

}  // namespace tinyhil
