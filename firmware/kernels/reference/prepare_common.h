// SPDX-License-Identifier: Apache-2.0
// Checks and precomputation that several operators share. Nothing here runs during inference.
#ifndef TINYHIL_KERNELS_REFERENCE_PREPARE_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_PREPARE_COMMON_H_

#include <stdint.h>

#include "interpreter/kernel.h"
#include "kernels/reference/output_stage.h"

namespace tinyhil {

// A set of types: one bit each.
constexpr uint32_t TypeBit(TensorType type) { return 1u << static_cast<uint32_t>(type); }
constexpr uint32_t kArithmeticTypes = TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16) |
                                      TypeBit(TensorType::kInt32) | TypeBit(TensorType::kFloat32);

bool ExpectType(Prepare& op, const Tensor& tensor, const char* field, uint32_t types);
bool ExpectSameType(Prepare& op, const Tensor& tensor, const char* field, const Tensor& as);
// Fails unless the tensor has one scale and, where it is int16, the zero point 0.
bool ExpectQuantized(Prepare& op, const Tensor& tensor, const char* field);
// Fails unless the tensor is int8 with one scale.
bool ExpectInt8(Prepare& op, const Tensor& tensor, const char* field);
bool ExpectRank(Prepare& op, const Tensor& tensor, const char* field, uint32_t rank);
bool ExpectDim(Prepare& op, const char* field, int32_t got, int32_t want);
bool ExpectSameShape(Prepare& op, const Tensor& input, const Tensor& output);

// What a fused activation leaves of an output tensor's range. TANH and SIGN_BIT, which no kernel fuses, leave all of
// it, as they do in the oracle.
struct Range {
  int32_t low;
  int32_t high;
};
struct FloatRange {
  float low;
  float high;
};
bool ActivationRange(Prepare& op, uint8_t activation, const Tensor& output, Range* range);  // int8 and int16
bool Int32ActivationRange(Prepare& op, uint8_t activation, Range* range);                   // not quantized
bool FloatActivationRange(Prepare& op, uint8_t activation, FloatRange* range);

// The range a quantized tensor's type has. Fails where bounds, in real numbers, are too far away for its scale.
bool QuantizedRange(Prepare& op, const Tensor& output, float low, float high, Range* range);

// No number stays what it is.
inline float ClampFloat(float x, const FloatRange& range) {
  if (x < range.low) x = range.low;
  return range.high < x ? range.high : x;
}

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

// The weights of a convolution or fully connected layer: an int8 constant, symmetric, with one scale or one for each
// output channel, which is dimension `channel_dimension`.
bool ExpectFilter(Prepare& op, const Tensor& filter, uint32_t channel_dimension);

// The output stage of such a layer with `channels` outputs, but for its multipliers: an int32 constant bias in input
// `bias`, if there is one, zero point and range. Takes no memory.
bool ReadOutputStage(Prepare& op, uint32_t bias, const Tensor& output, uint32_t channels, uint8_t activation,
                     OutputStage* stage);

// The stage's multipliers in persistent memory: input * filter[channel] / output, one where the filter has one scale.
bool MakeMultipliers(Prepare& op, const Tensor& input, const Tensor& filter, const Tensor& output, OutputStage* stage);

// Fails unless a quotient of scales is a positive finite float.
bool ExpectRatio(Prepare& op, float ratio);

// Fails where a multiplier shifts further left than 30 bits.
bool ExpectShift(Prepare& op, const Multiplier& multiplier);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_PREPARE_COMMON_H_
