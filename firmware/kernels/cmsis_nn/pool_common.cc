// SPDX-License-Identifier: Apache-2.0
#include "kernels/cmsis_nn/pool_common.h"

#include "kernels/reference/pool_common.h"

namespace tinyhil {

CmsisNnPoolData* PrepareCmsisNnPool(Prepare& op) {
  PoolData pool;
  if (!CheckPool(op, &pool)) return nullptr;
  CmsisNnPoolData* data = op.Data<CmsisNnPoolData>();
  if (data == nullptr) return nullptr;
  data->params = {{pool.x.stride, pool.y.stride}, {pool.x.pad, pool.y.pad}, {pool.range.low, pool.range.high}};
  data->input_dims = {pool.batches, pool.y.input, pool.x.input, pool.channels};
  data->filter_dims = {1, pool.y.filter, pool.x.filter, 1};
  data->output_dims = {pool.batches, pool.y.output, pool.x.output, pool.channels};
  return data;
}

}  // namespace tinyhil
