// SPDX-License-Identifier: Apache-2.0
// SPLIT_V, int8, int16, int32 and float32: a tensor in parts along an axis, as large as the outputs say. No scratch; 4
// bytes an output.
#include "kernels/ops.h"
#include "kernels/reference/split_common.h"

namespace tinyhil {
namespace {

bool PrepareUneven(Prepare& op) {
  Table options;
  return op.Expect(3, 3, op.output_count()) && op.Options(schema::kSplitVOptions, &options) &&
         PrepareSplit(op, 0, 2, false);
}

void EvalUneven(const Eval& op) { EvalSplit(op, 0); }

}  // namespace

extern const OpRegistration kOp_SPLIT_V = {schema::kSplitV, "SPLIT_V", PrepareUneven, EvalUneven};

}  // namespace tinyhil
