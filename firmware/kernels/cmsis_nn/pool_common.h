// SPDX-License-Identifier: Apache-2.0
// What the two pooling operators share: all but the library's function.
#ifndef TINYHIL_KERNELS_CMSIS_NN_POOL_COMMON_H_
#define TINYHIL_KERNELS_CMSIS_NN_POOL_COMMON_H_

#include "kernels/cmsis_nn/common.h"

namespace tinyhil {

struct CmsisNnPoolData {
  mutable uint32_t runs;
  cmsis_nn_context context;
  cmsis_nn_pool_params params;
  cmsis_nn_dims input_dims, filter_dims, output_dims;
};

// Null where the operator is refused or the arena cannot hold it.
CmsisNnPoolData* PrepareCmsisNnPool(Prepare& op);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_CMSIS_NN_POOL_COMMON_H_
