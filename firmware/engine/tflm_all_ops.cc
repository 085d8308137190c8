// SPDX-License-Identifier: Apache-2.0
// Every operator of TFLite Micro: the table of an image that takes any model.
#include "engine/tflm_ops.h"

TINYHIL_TFLM_OPS(TINYHIL_TFLM_EVERY_OP)
