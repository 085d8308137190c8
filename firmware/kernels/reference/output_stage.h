// SPDX-License-Identifier: Apache-2.0
// From a convolution's or fully connected layer's sum to its int8 output: bias, multiplier, zero point, activation.
#ifndef TINYHIL_KERNELS_REFERENCE_OUTPUT_STAGE_H_
#define TINYHIL_KERNELS_REFERENCE_OUTPUT_STAGE_H_

#include <stdint.h>

#include "interpreter/quantize.h"

namespace tinyhil {

// An Eval copies its stage to a local variable: through a pointer every field would be loaded again after each
// output, since a byte that is stored may alias anything.
struct OutputStage {
  const int32_t* bias;         // null: none
  const int32_t* multipliers;  // one a channel, or one for all
  const int8_t* shifts;
  int32_t channel_mask;  // all ones where multipliers are per channel, else 0
  int32_t zero_point;
  int32_t low;
  int32_t high;

  int8_t Finish(int32_t channel, uint32_t sum) const {
    if (bias != nullptr) sum += static_cast<uint32_t>(bias[channel]);
    const int32_t at = channel & channel_mask;
    return Round(sum, multipliers[at], shifts[at]);
  }

  // Two sums of one channel.
  void FinishTwo(int32_t channel, uint32_t sum0, uint32_t sum1, int8_t* out0, int8_t* out1) const {
    if (bias != nullptr) {
      sum0 += static_cast<uint32_t>(bias[channel]);
      sum1 += static_cast<uint32_t>(bias[channel]);
    }
    const int32_t at = channel & channel_mask;
    const int32_t multiplier = multipliers[at], shift = shifts[at];
    *out0 = Round(sum0, multiplier, shift);
    *out1 = Round(sum1, multiplier, shift);
  }

 private:
  int8_t Round(uint32_t sum, int32_t multiplier, int32_t shift) const {
    const int32_t scaled = Requantize(static_cast<int32_t>(sum), multiplier, shift);
    return static_cast<int8_t>(Clamp(scaled + zero_point, low, high));
  }
};

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_OUTPUT_STAGE_H_
