// SPDX-License-Identifier: Apache-2.0
// Checks and precomputation that several operators share. Nothing here runs during inference.
#ifndef TINYHIL_KERNELS_REFERENCE_PREPARE_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_PREPARE_COMMON_H_

#include <stdint.h>

#include "interpreter/kernel.h"

namespace tinyhil {

// Fails unless the tensor is int8 with one scale.
bool ExpectInt8(Prepare& op, const Tensor& tensor, const char* field);
bool ExpectRank(Prepare& op, const Tensor& tensor, const char* field, uint32_t rank);
bool ExpectDim(Prepare& op, const char* field, int32_t got, int32_t want);
bool ExpectSameShape(Prepare& op, const Tensor& input, const Tensor& output);

// The int8 range that a fused activation leaves of an output tensor.
struct Range {
  int32_t low;
  int32_t high;
};
bool ActivationRange(Prepare& op, uint8_t activation, const Tensor& output, Range* range);

// One axis of a sliding window.
struct Window {
  int32_t input;
  int32_t output;
  int32_t filter;
  int32_t stride;
  int32_t dilation;
  int32_t pad;  // before the first input element
};
// Fills output and pad. Fails where a parameter is below 1 or the filter is larger than a VALID input.
bool MakeWindow(Prepare& op, uint8_t padding, Window* window);

// Weights and bias of a convolution or fully connected layer: int8 constants, symmetric, with one scale or one for
// each of `channels` along `dimension`; the bias int32, of `channels` entries. A bias that is left out is null.
bool ExpectFilter(Prepare& op, const Tensor& filter, uint32_t dimension);
bool ReadBias(Prepare& op, uint32_t input, uint32_t channels, const int32_t** bias);

// The multipliers input * filter[channel] / output, in persistent memory: `channels` values, then shifts.
struct ChannelMultipliers {
  const int32_t* values;
  const int8_t* shifts;
};
bool MakeChannelMultipliers(Prepare& op, const Tensor& input, const Tensor& filter, const Tensor& output,
                            uint32_t channels, ChannelMultipliers* out);

// Fails where a multiplier shifts further left than 30 bits.
bool ExpectShift(Prepare& op, const Multiplier& multiplier);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_PREPARE_COMMON_H_
