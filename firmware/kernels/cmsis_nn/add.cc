// SPDX-License-Identifier: Apache-2.0
// ADD, int8, of two inputs of one shape, by arm_elementwise_add_s8; broadcasting is the reference's. No scratch.
#include "kernels/reference/add.h"

#include "kernels/cmsis_nn/common.h"
#include "kernels/cmsis_nn/ops.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct SumData {
  mutable uint32_t runs;
  int32_t elements;
  int32_t offset[2];
  Multiplier multiplier[2];
  int32_t output_offset;
  Multiplier sum;
  Range range;
};

bool PrepareAdd(Prepare& op) {
  AddData add;
  if (!CheckAdd(op, &add)) return false;
  if (add.elements == 0) return op.Hand(kOp_ADD);
  SumData* data = op.Data<SumData>();
  if (data == nullptr) return false;
  *data = {0,
           static_cast<int32_t>(add.elements),
           {-add.zero_point[0], -add.zero_point[1]},
           {add.multiplier[0], add.multiplier[1]},
           add.output_zero_point,
           add.sum,
           add.range};
  return true;
}

void EvalAdd(const Eval& op) {
  const SumData& d = op.Data<SumData>();
  Count(d.runs, arm_elementwise_add_s8(op.Input<int8_t>(0), op.Input<int8_t>(1), d.offset[0], d.multiplier[0].value,
                                       d.multiplier[0].shift, d.offset[1], d.multiplier[1].value, d.multiplier[1].shift,
                                       AddData::kHeadroom, op.Output<int8_t>(0), d.output_offset, d.sum.value,
                                       d.sum.shift, d.range.low, d.range.high, d.elements));
}

}  // namespace

extern const OpRegistration kCmsisNnOp_ADD = {schema::kAdd, "ADD", PrepareAdd, EvalAdd, "cmsis_nn", true};

}  // namespace tinyhil
