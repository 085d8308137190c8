// SPDX-License-Identifier: Apache-2.0
// MAXIMUM and MINIMUM, as every kernel set checks them.
#ifndef TINYHIL_KERNELS_REFERENCE_MAXIMUM_MINIMUM_H_
#define TINYHIL_KERNELS_REFERENCE_MAXIMUM_MINIMUM_H_

#include "kernels/reference/broadcast.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct ExtremeData {
  TensorType type;
  Broadcast shape;
};

// Checks all and fills `data`; takes no memory.
bool CheckExtreme(Prepare& op, ExtremeData* data);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_MAXIMUM_MINIMUM_H_
