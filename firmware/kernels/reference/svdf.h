// SPDX-License-Identifier: Apache-2.0
// SVDF, as every kernel set checks it.
#ifndef TINYHIL_KERNELS_REFERENCE_SVDF_H_
#define TINYHIL_KERNELS_REFERENCE_SVDF_H_

#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct SvdfData {
  const int8_t* feature_weights;  // filters x inputs
  const void* time_weights;       // filters x memory, of the state's type
  const int32_t* bias;
  bool wide;  // the state is int16
  int32_t batches;
  int32_t inputs;
  int32_t filters;
  int32_t rank;
  int32_t memory;
  int32_t input_zero_point;
  int32_t state_zero_point;
  int32_t output_zero_point;
  Multiplier to_state;
  Multiplier to_output;
};

// Checks all and fills `data`; takes no memory.
bool CheckSvdf(Prepare& op, SvdfData* data);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_SVDF_H_
