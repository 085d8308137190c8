// SPDX-License-Identifier: Apache-2.0
// SUB: int8, int16, int32 and float, with broadcasting; ADD's arithmetic but for the rounding of its scales (add.cc).
#include "kernels/ops.h"
#include "kernels/reference/add.h"

namespace tinyhil {
namespace {

bool PrepareSub(Prepare& op) {
  AddData* data = op.Data<AddData>();
  return data != nullptr && CheckSub(op, data);
}

}  // namespace

extern const OpRegistration kOp_SUB = {schema::kSub, "SUB", PrepareSub, EvalAddOrSub<true>};

}  // namespace tinyhil
