// SPDX-License-Identifier: Apache-2.0
// FULLY_CONNECTED, as every kernel set checks it.
#ifndef TINYHIL_KERNELS_REFERENCE_FULLY_CONNECTED_H_
#define TINYHIL_KERNELS_REFERENCE_FULLY_CONNECTED_H_

#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct FullyConnectedData {
  const int8_t* weights;
  OutputStage stage;
  int32_t multiplier;  // where the weights have one scale
  int8_t shift;
  int32_t batches;
  int32_t inputs;
  int32_t outputs;
  int32_t input_zero_point;
};

struct FullyConnectedTensors {
  Tensor input, filter, output;
};

// Checks all and fills `data`, but for the stage's multipliers where weights are per channel; takes no memory.
bool CheckFullyConnected(Prepare& op, FullyConnectedData* data, FullyConnectedTensors* tensors);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_FULLY_CONNECTED_H_
