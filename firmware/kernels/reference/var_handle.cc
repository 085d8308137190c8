// SPDX-License-Identifier: Apache-2.0
// VAR_HANDLE: names the variable that READ_VARIABLE and ASSIGN_VARIABLE mean. All of it happens at load; the handle
// takes no memory.
#include "kernels/ops.h"

namespace tinyhil {
namespace {

bool PrepareVarHandle(Prepare& op) {
  Table options;
  if (!op.Expect(0, 0, 1) || !op.Options(schema::kVarHandleOptions, &options)) return false;
  const Vector container = options.VectorOf(schema::kVarHandleContainer, "container", 1);
  const Vector name = options.VectorOf(schema::kVarHandleName, "shared_name", 1);
  if (!op.ok()) return false;
  if (!name.present) return op.Fail(Code::kModelMalformed, "shared_name", "a variable needs a name");
  return op.DeclareVariable(container, name);
}

void EvalVarHandle(const Eval&) {}

}  // namespace

extern const OpRegistration kOp_VAR_HANDLE = {schema::kVarHandle, "VAR_HANDLE", PrepareVarHandle, EvalVarHandle};

}  // namespace tinyhil
