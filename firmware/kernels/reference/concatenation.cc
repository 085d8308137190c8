// SPDX-License-Identifier: Apache-2.0
// CONCATENATION, int8, int16, int32, int64, float32 and bool, without rescaling. No scratch; 4 bytes an input.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxInputs = 10;
constexpr uint32_t kTypes = Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kInt64,
                                  TensorType::kFloat32, TensorType::kBool);

// int8 values keep their meaning only where scale and zero point are the same; int16 ones have no zero point.
bool ExpectQuantization(Prepare& op, const Tensor& input, const Tensor& output) {
  if (input.type == TensorType::kInt8 && (input.scale() != output.scale() || input.zero_point != output.zero_point)) {
    return op.Fail(Code::kModelUnsupported, "inputs", "must have the output's scale and zero point");
  }
  if (input.type == TensorType::kInt16 && (input.zero_point != 0 || output.zero_point != 0)) {
    return op.Fail(Code::kModelUnsupported, "inputs", "zero point must be 0");
  }
  return true;
}

bool PrepareConcatenation(Prepare& op) {
  Tensor output, input;
  Table options;
  uint32_t axis;
  if (!op.Expect(1, kMaxInputs, 1) || !op.Output(0, &output)) return false;
  if (!op.Options(schema::kConcatenationOptions, &options)) return false;
  const int32_t wanted = options.I32(schema::kConcatenationAxis, "axis", 0);
  const uint8_t activation = options.U8(schema::kConcatenationActivation, "fused_activation_function", schema::kNone);
  if (!op.ok() || !ReadAxis(op, "axis", wanted, output.rank, &axis)) return false;
  if (activation != schema::kNone) {
    return op.Fail(Code::kModelUnsupported, "fused_activation_function", "must be NONE", activation, schema::kNone);
  }
  Pieces* pieces = MakePieces(op, Elements(output, 0, axis), op.input_count());
  if (pieces == nullptr) return false;
  const uint32_t below = Elements(output, axis + 1, output.rank) * BytesOf(output.type);
  int32_t sum = 0;
  for (uint32_t i = 0; i < op.input_count(); ++i) {
    if (!op.Input(i, &input) || !ExpectTypes(op, input, output, kTypes) || !ExpectQuantization(op, input, output) ||
        !ExpectRank(op, input, "inputs", output.rank)) {
      return false;
    }
    for (uint32_t k = 0; k < output.rank; ++k) {
      if (k != axis && !ExpectDim(op, "inputs", input.dim(k), output.dim(k))) return false;
    }
    if (input.dim(axis) > output.dim(axis) - sum) return ExpectDim(op, "outputs[0]", output.dim(axis), sum);
    sum += input.dim(axis);
    pieces->bytes[i] = static_cast<uint32_t>(input.dim(axis)) * below;
  }
  return ExpectDim(op, "outputs[0]", output.dim(axis), sum);
}

void EvalConcatenation(const Eval& op) {
  const Pieces& pieces = op.Data<Pieces>();
  uint8_t* out = op.Output<uint8_t>(0);
  for (uint32_t k = 0; k < pieces.outer; ++k) {
    for (uint32_t i = 0; i < pieces.count; ++i) {
      const uint32_t bytes = pieces.bytes[i];
      CopyBytes(out, op.Input<uint8_t>(i) + k * bytes, bytes);
      out += bytes;
    }
  }
}

}  // namespace

extern const OpRegistration kOp_CONCATENATION = {schema::kConcatenation, "CONCATENATION", PrepareConcatenation,
                                                 EvalConcatenation};

}  // namespace tinyhil
