// SPDX-License-Identifier: Apache-2.0
// PADV2, int8, int16, int32 and float32, up to five dimensions, with a value of the model. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/pad_common.h"

namespace tinyhil {

extern const OpRegistration kOp_PADV2 = {schema::kPadV2, "PADV2", PreparePad, EvalPad};

}  // namespace tinyhil
