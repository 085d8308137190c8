// SPDX-License-Identifier: Apache-2.0
// The registrations that call CMSIS-NN: kCmsisNnOp_ followed by the schema's name. Each is defined in the operator's
// own file, and hands an operator that CMSIS-NN does not compute exactly to the reference's, kOp_, when it is prepared.
#ifndef TINYHIL_KERNELS_CMSIS_NN_OPS_H_
#define TINYHIL_KERNELS_CMSIS_NN_OPS_H_

#include "interpreter/kernel.h"

namespace tinyhil {

extern const OpRegistration kCmsisNnOp_ADD;
extern const OpRegistration kCmsisNnOp_AVERAGE_POOL_2D;
extern const OpRegistration kCmsisNnOp_CONV_2D;
extern const OpRegistration kCmsisNnOp_DEPTHWISE_CONV_2D;
extern const OpRegistration kCmsisNnOp_FULLY_CONNECTED;
extern const OpRegistration kCmsisNnOp_MAXIMUM;
extern const OpRegistration kCmsisNnOp_MAX_POOL_2D;
extern const OpRegistration kCmsisNnOp_MINIMUM;
extern const OpRegistration kCmsisNnOp_MUL;
extern const OpRegistration kCmsisNnOp_SOFTMAX;
extern const OpRegistration kCmsisNnOp_SVDF;

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_CMSIS_NN_OPS_H_
