// SPDX-License-Identifier: Apache-2.0
// SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: pixels of an image, dealt out to several images, and back.
#ifndef TINYHIL_KERNELS_REFERENCE_BATCH_SPACE_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_BATCH_SPACE_COMMON_H_

#include "interpreter/kernel.h"

namespace tinyhil {

// The large images and the small ones that they are dealt out to: small image (y * block_w + x) * batches + n has every
// block-th pixel of large image n, from row y and column x of its margin on.
struct BatchSpace {
  int32_t batches;
  int32_t block_h, block_w;
  int32_t large_h, large_w;
  int32_t small_h, small_w;
  int32_t top, left;  // margin: rows and columns of the small images that the large one does not have
  uint32_t pixel_bytes;
};

// Tensors of three dimensions (one of space) or four; `large` and `small` are the input and the output, or the other
// way round.
bool PrepareBatchSpace(Prepare& op, const Tensor& large, const Tensor& small, const char* margins);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_BATCH_SPACE_COMMON_H_
