// SPDX-License-Identifier: Apache-2.0
// SOFTMAX over the last dimension, int8 in and out, by arm_softmax_s8. No scratch.
#include "kernels/reference/softmax.h"

#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

// With more classes the sum of their exps may reach 2^27; the library then shifts by 31 bits or more, which it computes
// with an overflow.
constexpr int32_t kMostClasses = 255;
// It scales differences by 1 << shift as an int32_t.
constexpr int32_t kLargestShift = 30;

struct RowsData {
  mutable uint32_t runs;
  SoftmaxData softmax;
};

bool PrepareSoftmax(Prepare& op) {
  SoftmaxData softmax;
  if (!CheckSoftmax(op, &softmax)) return false;
  if (softmax.depth > kMostClasses || softmax.multiplier.shift > kLargestShift) return op.Hand(kOp_SOFTMAX);
  RowsData* data = op.Data<RowsData>();
  if (data == nullptr) return false;
  data->softmax = softmax;
  return true;
}

void EvalSoftmax(const Eval& op) {
  const RowsData& d = op.Data<RowsData>();
  const SoftmaxData& s = d.softmax;
  arm_softmax_s8(op.Input<int8_t>(0), s.rows, s.depth, s.multiplier.value, s.multiplier.shift, s.lowest_difference,
                 op.Output<int8_t>(0));
  Count(d.runs, ARM_CMSIS_NN_SUCCESS);
}

}  // namespace

extern const OpRegistration kCmsisNnOp_SOFTMAX = {schema::kSoftmax, "SOFTMAX",  PrepareSoftmax,
                                                  EvalSoftmax,      "cmsis_nn", true};

}  // namespace tinyhil
