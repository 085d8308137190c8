// SPDX-License-Identifier: Apache-2.0
// AVERAGE_POOL_2D, int8, by arm_avgpool_s8. Scratch: what the library asks for.
#include "kernels/cmsis_nn/ops.h"
#include "kernels/cmsis_nn/pool_common.h"

namespace tinyhil {
namespace {

bool PrepareAveragePool(Prepare& op) {
  CmsisNnPoolData* data = PrepareCmsisNnPool(op);
  if (data == nullptr) return false;
  Tensor output;
  if (!op.Output(0, &output)) return false;
  return ScratchContext(op, arm_avgpool_s8_get_buffer_size(output.dim(2), output.dim(3)), &data->context);
}

void EvalAveragePool(const Eval& op) {
  const CmsisNnPoolData& d = op.Data<CmsisNnPoolData>();
  Count(d.runs, arm_avgpool_s8(&d.context, &d.params, &d.input_dims, op.Input<int8_t>(0), &d.filter_dims,
                               &d.output_dims, op.Output<int8_t>(0)));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_AVERAGE_POOL_2D = {schema::kAveragePool2d, "AVERAGE_POOL_2D", PrepareAveragePool,
                                                          EvalAveragePool,        "cmsis_nn",        true};

}  // namespace tinyhil
