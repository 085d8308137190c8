// SPDX-License-Identifier: Apache-2.0
// MAXIMUM and MINIMUM, int8, of two inputs of one shape or of one and a single value, by arm_maximum_s8 and
// arm_minimum_s8; other types and broadcasting are the reference's. No scratch.
#include "kernels/reference/maximum_minimum.h"

#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct PairData {
  mutable uint32_t runs;
  cmsis_nn_context context;  // none, but not null
  cmsis_nn_dims dims[2], output_dims;
};

bool PreparePair(Prepare& op, const OpRegistration& reference) {
  ExtremeData extreme;
  if (!CheckExtreme(op, &extreme)) return false;
  const Broadcast& shape = extreme.shape;
  if (extreme.type != TensorType::kInt8 || shape.rank != 1) return op.Hand(reference);
  PairData* data = op.Data<PairData>();
  if (data == nullptr) return false;
  data->output_dims = {1, 1, 1, shape.dims[0]};
  for (uint32_t k = 0; k < 2; ++k) data->dims[k] = {1, 1, 1, shape.step[k][0] == 0 ? 1 : shape.dims[0]};
  return true;
}

bool PrepareMaximum(Prepare& op) { return PreparePair(op, kOp_MAXIMUM); }
bool PrepareMinimum(Prepare& op) { return PreparePair(op, kOp_MINIMUM); }

void EvalMaximum(const Eval& op) {
  const PairData& d = op.Data<PairData>();
  Count(d.runs, arm_maximum_s8(&d.context, op.Input<int8_t>(0), &d.dims[0], op.Input<int8_t>(1), &d.dims[1],
                               op.Output<int8_t>(0), &d.output_dims));
}

void EvalMinimum(const Eval& op) {
  const PairData& d = op.Data<PairData>();
  Count(d.runs, arm_minimum_s8(&d.context, op.Input<int8_t>(0), &d.dims[0], op.Input<int8_t>(1), &d.dims[1],
                               op.Output<int8_t>(0), &d.output_dims));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_MAXIMUM = {schema::kMaximum, "MAXIMUM",  PrepareMaximum,
                                                  EvalMaximum,      "cmsis_nn", true};
extern const OpRegistration kCmsisNnOp_MINIMUM = {schema::kMinimum, "MINIMUM",  PrepareMinimum,
                                                  EvalMinimum,      "cmsis_nn", true};

}  // namespace tinyhil
