// SPDX-License-Identifier: Apache-2.0
// QUANTIZE: float to int8, or between int8 and uint8 of other scales and zero points. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct QuantizeData {
  TensorType from, to;
  uint32_t elements;
  float scale;
  Multiplier multiplier;
  int32_t input_zero_point;
  int32_t output_zero_point;
};

bool PrepareQuantize(Prepare& op) {
  Tensor input, output;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  const bool bytes_in = input.type == TensorType::kInt8 || input.type == TensorType::kUint8;
  const bool bytes_out = output.type == TensorType::kInt8 || output.type == TensorType::kUint8;
  const bool from_float = input.type == TensorType::kFloat32 && output.type == TensorType::kInt8;
  const bool both_uint8 = input.type == TensorType::kUint8 && output.type == TensorType::kUint8;
  if (!from_float && (!bytes_in || !bytes_out || both_uint8)) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "only float to int8 and between int8 and uint8",
                   static_cast<uint32_t>(input.type), static_cast<uint32_t>(output.type));
  }
  if (output.scale_count != 1 || (bytes_in && input.scale_count != 1)) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must have one quantization scale", output.scale_count, 1);
  }
  if (!ExpectSameShape(op, input, output)) return false;
  QuantizeData* data = op.Data<QuantizeData>();
  if (data == nullptr) return false;
  data->from = input.type;
  data->to = output.type;
  data->elements = input.elements;
  data->scale = output.scale();
  data->input_zero_point = input.zero_point;
  data->output_zero_point = output.zero_point;
  if (from_float) return true;
  data->multiplier = MakeMultiplier(input.scale(), 1.0f, output.scale());
  return ExpectShift(op, data->multiplier);
}

template <typename From, typename To>
void Rescale(const QuantizeData& d, const From* in, To* out) {
  constexpr int32_t kLow = static_cast<To>(-1) < 0 ? -128 : 0;
  for (uint32_t i = 0; i < d.elements; ++i) {
    const int32_t scaled = Requantize(in[i] - d.input_zero_point, d.multiplier.value, d.multiplier.shift);
    out[i] = static_cast<To>(Clamp(scaled + d.output_zero_point, kLow, kLow + 255));
  }
}

void FromFloat(const QuantizeData& d, const float* in, int8_t* out) {
  for (uint32_t i = 0; i < d.elements; ++i) {
    const float scaled = in[i] / d.scale;
    // Far outside int8 the integer does not matter; what is no number becomes the lowest, as elsewhere.
    int32_t value = -1024;
    if (scaled >= 1024.0f) {
      value = 1024;
    } else if (scaled > -1024.0f) {
      value = RoundToInt(scaled);
    }
    out[i] = static_cast<int8_t>(Clamp(value + d.output_zero_point, -128, 127));
  }
}

void EvalQuantize(const Eval& op) {
  const QuantizeData& d = op.Data<QuantizeData>();
  if (d.from == TensorType::kFloat32) {
    FromFloat(d, op.Input<float>(0), op.Output<int8_t>(0));
  } else if (d.from == TensorType::kUint8) {
    Rescale(d, op.Input<uint8_t>(0), op.Output<int8_t>(0));
  } else if (d.to == TensorType::kUint8) {
    Rescale(d, op.Input<int8_t>(0), op.Output<uint8_t>(0));
  } else {
    Rescale(d, op.Input<int8_t>(0), op.Output<int8_t>(0));
  }
}

}  // namespace

extern const OpRegistration kOp_QUANTIZE = {schema::kQuantize, "QUANTIZE", PrepareQuantize, EvalQuantize};

}  // namespace tinyhil
