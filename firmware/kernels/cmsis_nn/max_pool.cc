// SPDX-License-Identifier: Apache-2.0
// MAX_POOL_2D, int8, by arm_max_pool_s8. No scratch.
#include "kernels/cmsis_nn/ops.h"
#include "kernels/cmsis_nn/pool_common.h"

namespace tinyhil {
namespace {

bool PrepareMaxPool(Prepare& op) { return PrepareCmsisNnPool(op) != nullptr; }

void EvalMaxPool(const Eval& op) {
  const CmsisNnPoolData& d = op.Data<CmsisNnPoolData>();
  Count(d.runs, arm_max_pool_s8(&d.context, &d.params, &d.input_dims, op.Input<int8_t>(0), &d.filter_dims,
                                &d.output_dims, op.Output<int8_t>(0)));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_MAX_POOL_2D = {schema::kMaxPool2d, "MAX_POOL_2D", PrepareMaxPool,
                                                      EvalMaxPool,        "cmsis_nn",    true};

}  // namespace tinyhil
