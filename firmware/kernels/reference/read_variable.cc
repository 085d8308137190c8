// SPDX-License-Identifier: Apache-2.0
// READ_VARIABLE, any type: copies a variable into a tensor. No scratch.
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct ReadData {
  const Variable* variable;
};

bool PrepareRead(Prepare& op) {
  Tensor output;
  Table options;
  if (!op.Expect(1, 1, 1) || !op.Output(0, &output) || !op.Options(schema::kReadVariableOptions, &options)) {
    return false;
  }
  const Variable* variable;
  if (!op.ReadsVariable(0, output, &variable)) return false;
  ReadData* data = op.Data<ReadData>();
  if (data == nullptr) return false;
  data->variable = variable;
  return true;
}

void EvalRead(const Eval& op) {
  const Variable& variable = *op.Data<ReadData>().variable;
  __builtin_memcpy(op.Output<uint8_t>(0), variable.data, variable.bytes);
}

}  // namespace

extern const OpRegistration kOp_READ_VARIABLE = {schema::kReadVariable, "READ_VARIABLE", PrepareRead, EvalRead};

}  // namespace tinyhil
