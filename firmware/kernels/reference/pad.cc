// SPDX-License-Identifier: Apache-2.0
// PAD, int8, int16, int32 and float32, up to five dimensions, with the output's zero point, 0 for other types. No
// scratch.
#include "kernels/ops.h"
#include "kernels/reference/pad_common.h"

namespace tinyhil {

extern const OpRegistration kOp_PAD = {schema::kPad, "PAD", PreparePad, EvalPad};

}  // namespace tinyhil
