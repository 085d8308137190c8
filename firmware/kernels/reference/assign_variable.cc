// SPDX-License-Identifier: Apache-2.0
// ASSIGN_VARIABLE, any type: copies a tensor into a variable, which keeps it until the next. No scratch; the variable's
// bytes are the arena's for good.
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct AssignData {
  const Variable* variable;
};

bool PrepareAssign(Prepare& op) {
  Tensor value;
  Table options;
  if (!op.Expect(2, 2, 0) || !op.Input(1, &value) || !op.Options(schema::kAssignVariableOptions, &options)) {
    return false;
  }
  const Variable* variable;
  if (!op.AssignsVariable(0, value, &variable)) return false;
  AssignData* data = op.Data<AssignData>();
  if (data == nullptr) return false;
  data->variable = variable;
  return true;
}

void EvalAssign(const Eval& op) {
  const Variable& variable = *op.Data<AssignData>().variable;
  __builtin_memcpy(variable.data, op.Input<uint8_t>(1), variable.bytes);
}

}  // namespace

extern const OpRegistration kOp_ASSIGN_VARIABLE = {schema::kAssignVariable, "ASSIGN_VARIABLE", PrepareAssign,
                                                   EvalAssign};

}  // namespace tinyhil
