// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {
constexpr Code kBad = Code::kModelMalformed;
constexpr Code kUnsupported = Code::kModelUnsupported;
}  // namespace

bool ExpectType(Prepare& op, const Tensor& tensor, const char* field, uint32_t types) {
  if ((TypeBit(tensor.type) & types) != 0) return true;
  return op.Fail(kUnsupported, field, "not implemented for this type", static_cast<uint32_t>(tensor.type));
}

bool ExpectSameType(Prepare& op, const Tensor& tensor, const char* field, const Tensor& as) {
  if (tensor.type == as.type) return true;
  return op.Fail(kUnsupported, field, "must have the first input's type", static_cast<uint32_t>(tensor.type),
                 static_cast<uint32_t>(as.type));
}

bool ExpectQuantized(Prepare& op, const Tensor& tensor, const char* field) {
  if (tensor.scale_count != 1) {
    return op.Fail(kUnsupported, field, "must have one quantization scale", tensor.scale_count, 1);
  }
  if (tensor.type == TensorType::kInt16 && tensor.zero_point != 0) {
    return op.Fail(kUnsupported, field, "an int16 tensor must have the zero point 0",
                   static_cast<uint32_t>(tensor.zero_point), 0);
  }
  return true;
}

bool ExpectInt8(Prepare& op, const Tensor& tensor, const char* field) {
  if (tensor.type != TensorType::kInt8) {
    return op.Fail(kUnsupported, field, "must be int8", static_cast<uint32_t>(tensor.type),
                   static_cast<uint32_t>(TensorType::kInt8));
  }
  if (tensor.scale_count != 1) {
    return op.Fail(kUnsupported, field, "must have one quantization scale", tensor.scale_count, 1);
  }
  return true;
}

bool ExpectRank(Prepare& op, const Tensor& tensor, const char* field, uint32_t rank) {
  if (tensor.rank == rank) return true;
  return op.Fail(kUnsupported, field, "wrong number of dimensions", tensor.rank, rank);
}

bool ExpectDim(Prepare& op, const char* field, int32_t got, int32_t want) {
  if (got == want) return true;
  return op.Fail(kBad, field, "dimensions contradict each other", static_cast<uint32_t>(got),
                 static_cast<uint32_t>(want));
}

bool ExpectSameShape(Prepare& op, const Tensor& input, const Tensor& output) {
  if (input.rank != output.rank)
    return op.Fail(kBad, "outputs", "must have the input's shape", output.rank, input.rank);
  for (uint32_t i = 0; i < input.rank; ++i) {
    if (!ExpectDim(op, "outputs", output.dim(i), input.dim(i))) return false;
  }
  return true;
}

bool QuantizedRange(Prepare& op, const Tensor& output, float low, float high, Range* range) {
  const bool wide = output.type == TensorType::kInt16;
  *range = wide ? Range{-32768, 32767} : Range{-128, 127};
  // A bound this far from zero is outside the type whatever the zero point.
  const float largest = 2147483648.0f;
  const float scaled_low = low / output.scale(), scaled_high = high / output.scale();
  if (!(scaled_low > -largest) || !(scaled_high < largest)) {
    return op.Fail(kUnsupported, "outputs", "scale too small for the activation");
  }
  const int64_t low_q = int64_t{output.zero_point} + RoundToInt(scaled_low);
  const int64_t high_q = int64_t{output.zero_point} + RoundToInt(scaled_high);
  if (low_q > range->low) range->low = low_q > range->high ? range->high : static_cast<int32_t>(low_q);
  if (high_q < range->high) range->high = static_cast<int32_t>(high_q);
  return true;
}

bool ActivationRange(Prepare& op, uint8_t activation, const Tensor& output, Range* range) {
  const int32_t highest = output.type == TensorType::kInt16 ? 32767 : 127;
  switch (activation) {
    case schema::kRelu:
      if (!QuantizedRange(op, output, 0.0f, 0.0f, range)) return false;
      range->high = highest;
      return true;
    case schema::kRelu6:
      return QuantizedRange(op, output, 0.0f, 6.0f, range);
    case schema::kReluN1To1:
      return QuantizedRange(op, output, -1.0f, 1.0f, range);
    case schema::kNone:
    case schema::kTanh:
    case schema::kSignBit:
      *range = {-highest - 1, highest};
      return true;
    default:
      return op.Fail(kUnsupported, "fused_activation_function", "no such activation", activation);
  }
}

bool Int32ActivationRange(Prepare& op, uint8_t activation, Range* range) {
  FloatRange in_float;
  if (!FloatActivationRange(op, activation, &in_float)) return false;
  range->low = in_float.low < -1.0f ? INT32_MIN : static_cast<int32_t>(in_float.low);
  range->high = in_float.high > 6.0f ? INT32_MAX : static_cast<int32_t>(in_float.high);
  return true;
}

bool FloatActivationRange(Prepare& op, uint8_t activation, FloatRange* range) {
  constexpr float kLargest = 3.402823466e38f;
  switch (activation) {
    case schema::kRelu:
      *range = {0.0f, kLargest};
      return true;
    case schema::kRelu6:
      *range = {0.0f, 6.0f};
      return true;
    case schema::kReluN1To1:
      *range = {-1.0f, 1.0f};
      return true;
    case schema::kNone:
    case schema::kTanh:
    case schema::kSignBit:
      *range = {-kLargest, kLargest};
      return true;
    default:
      return op.Fail(kUnsupported, "fused_activation_function", "no such activation", activation);
  }
}

bool MakeWindow(Prepare& op, uint8_t padding, Window* w) {
  if (w->stride < 1) return op.Fail(kBad, "stride", "below 1", static_cast<uint32_t>(w->stride), 1);
  if (w->dilation < 1) return op.Fail(kBad, "dilation", "below 1", static_cast<uint32_t>(w->dilation), 1);
  if (w->filter < 1) return op.Fail(kBad, "filter", "below 1", static_cast<uint32_t>(w->filter), 1);
  // With all four below 2^15 nothing computed from them wraps.
  const int32_t limit = 1 << 15;
  if (w->stride >= limit || w->dilation >= limit || w->filter >= limit || w->input >= limit) {
    return op.Fail(kUnsupported, "window", "input, filter, stride and dilation must be below 32768");
  }
  const int32_t span = (w->filter - 1) * w->dilation + 1;
  if (padding == schema::kSame) {
    w->output = (w->input + w->stride - 1) / w->stride;
    const int32_t total = (w->output - 1) * w->stride + span - w->input;
    w->pad = total > 0 ? total / 2 : 0;
    return true;
  }
  if (padding != schema::kValid) return op.Fail(kBad, "padding", "neither SAME nor VALID", padding);
  if (span > w->input) {
    return op.Fail(kBad, "filter", "larger than its input", static_cast<uint32_t>(span),
                   static_cast<uint32_t>(w->input));
  }
  w->output = (w->input - span) / w->stride + 1;
  w->pad = 0;
  return true;
}

bool ExpectFilter(Prepare& op, const Tensor& filter, uint32_t channel_dimension) {
  if (filter.type != TensorType::kInt8) {
    return op.Fail(kUnsupported, "filter", "must be int8", static_cast<uint32_t>(filter.type),
                   static_cast<uint32_t>(TensorType::kInt8));
  }
  if (!filter.constant()) return op.Fail(kUnsupported, "filter", "must be a constant");
  if (filter.scale_count == 0) return op.Fail(kBad, "filter", "is not quantized");
  if (filter.zero_point != 0) {
    return op.Fail(kUnsupported, "filter", "zero point must be 0", static_cast<uint32_t>(filter.zero_point), 0);
  }
  if (filter.scale_count > 1 && static_cast<uint32_t>(filter.quantized_dimension) != channel_dimension) {
    return op.Fail(kUnsupported, "filter", "quantized along another dimension than its output channels",
                   static_cast<uint32_t>(filter.quantized_dimension), channel_dimension);
  }
  return true;
}

bool ExpectRatio(Prepare& op, float ratio) {
  if (ratio > 0.0f && ratio < __builtin_inff()) return true;
  return op.Fail(kUnsupported, "outputs", "scale too far from the inputs' scales");
}

bool ExpectShift(Prepare& op, const Multiplier& multiplier) {
  if (multiplier.shift <= 30) return true;
  return op.Fail(kUnsupported, "outputs", "scale too small for the inputs' scales",
                 static_cast<uint32_t>(multiplier.shift), 30);
}

namespace {

bool ReadBias(Prepare& op, uint32_t input, uint32_t channels, const int32_t** bias) {
  *bias = nullptr;
  if (!op.HasInput(input)) return true;
  Tensor tensor;
  if (!op.Input(input, &tensor)) return false;
  if (tensor.type != TensorType::kInt32) {
    return op.Fail(kUnsupported, "bias", "must be int32", static_cast<uint32_t>(tensor.type),
                   static_cast<uint32_t>(TensorType::kInt32));
  }
  if (!tensor.constant()) return op.Fail(kUnsupported, "bias", "must be a constant");
  if (tensor.elements != channels) return op.Fail(kBad, "bias", "one a channel", tensor.elements, channels);
  *bias = static_cast<const int32_t*>(tensor.data);
  return true;
}

}  // namespace

bool ReadOutputStage(Prepare& op, uint32_t bias, const Tensor& output, uint32_t channels, uint8_t activation,
                     OutputStage* stage) {
  Range range;
  if (!ReadBias(op, bias, channels, &stage->bias) || !ActivationRange(op, activation, output, &range)) return false;
  stage->zero_point = output.zero_point;
  stage->low = range.low;
  stage->high = range.high;
  return true;
}

bool MakeMultipliers(Prepare& op, const Tensor& input, const Tensor& filter, const Tensor& output, OutputStage* stage) {
  stage->channel_mask = filter.scale_count > 1 ? -1 : 0;
  int32_t* multipliers = op.Persistent<int32_t>(filter.scale_count);
  int8_t* shifts = op.Persistent<int8_t>(filter.scale_count);
  if (multipliers == nullptr || shifts == nullptr) return false;
  const Ratio ratio(input.scale(), output.scale());
  for (uint32_t i = 0; i < filter.scale_count; ++i) {
    const Multiplier multiplier = ratio.Times(filter.scales[i]);
    if (!ExpectShift(op, multiplier)) return false;
    multipliers[i] = multiplier.value;
    shifts[i] = static_cast<int8_t>(multiplier.shift);
  }
  stage->multipliers = multipliers;
  stage->shifts = shifts;
  return true;
}

}  // namespace tinyhil
