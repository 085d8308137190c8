// SPDX-License-Identifier: Apache-2.0
// SPLIT, int8, int16, int32 and float32: a tensor in equal parts along an axis. No scratch; 4 bytes an output.
#include "kernels/ops.h"
#include "kernels/reference/split_common.h"

namespace tinyhil {
namespace {

bool PrepareEven(Prepare& op) {
  Table options;
  return op.Expect(2, 2, op.output_count()) && op.Options(schema::kSplitOptions, &options) &&
         PrepareSplit(op, 1, 0, true);
}

void EvalEven(const Eval& op) { EvalSplit(op, 1); }

}  // namespace

extern const OpRegistration kOp_SPLIT = {schema::kSplit, "SPLIT", PrepareEven, EvalEven};

}  // namespace tinyhil
