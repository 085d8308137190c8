// SPDX-License-Identifier: Apache-2.0
// DEQUANTIZE: int8 or uint8 to float. One float product a value, correctly rounded. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct DequantizeData {
  uint32_t elements;
  float scale;
  int32_t zero_point;
  bool is_signed;
};

bool PrepareDequantize(Prepare& op) {
  Tensor input, output;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (input.type != TensorType::kInt8 && input.type != TensorType::kUint8) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "must be int8 or uint8", static_cast<uint32_t>(input.type));
  }
  if (output.type != TensorType::kFloat32) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must be float32", static_cast<uint32_t>(output.type));
  }
  if (input.scale_count != 1) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "must have one quantization scale", input.scale_count, 1);
  }
  if (!ExpectSameShape(op, input, output)) return false;
  DequantizeData* data = op.Data<DequantizeData>();
  if (data == nullptr) return false;
  *data = {input.elements, input.scale(), input.zero_point, input.type == TensorType::kInt8};
  return true;
}

void EvalDequantize(const Eval& op) {
  const DequantizeData& d = op.Data<DequantizeData>();
  const uint8_t* in = op.Input<uint8_t>(0);
  float* out = op.Output<float>(0);
  for (uint32_t i = 0; i < d.elements; ++i) {
    const int32_t value = d.is_signed ? static_cast<int8_t>(in[i]) : in[i];
    out[i] = d.scale * static_cast<float>(value - d.zero_point);
  }
}

}  // namespace

extern const OpRegistration kOp_DEQUANTIZE = {schema::kDequantize, "DEQUANTIZE", PrepareDequantize, EvalDequantize};

}  // namespace tinyhil
