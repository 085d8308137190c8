// SPDX-License-Identifier: Apache-2.0
// UNPACK, int8, int16, int32 and float32: the slices of a tensor along an axis, which goes away. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kTypes = Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kFloat32);

struct UnpackData {
  uint32_t count;
  uint32_t outer;
  uint32_t bytes;  // of a piece
};

bool PrepareUnpack(Prepare& op) {
  Tensor input, output;
  Table options;
  uint32_t axis;
  if (!op.Expect(1, 1, op.output_count()) || !op.Input(0, &input) || !op.Options(schema::kUnpackOptions, &options)) {
    return false;
  }
  const int32_t count = options.I32(schema::kUnpackCount, "num", 0);
  const int32_t wanted = options.I32(schema::kUnpackAxis, "axis", 0);
  if (!op.ok() || !ReadAxis(op, "axis", wanted, input.rank, &axis) ||
      !ExpectDim(op, "num", count, static_cast<int32_t>(op.output_count())) ||
      !ExpectDim(op, "num", count, input.dim(axis))) {
    return false;
  }
  for (uint32_t i = 0; i < op.output_count(); ++i) {
    if (!op.Output(i, &output) || !ExpectTypes(op, input, output, kTypes) ||
        !ExpectRank(op, output, "outputs", input.rank - 1)) {
      return false;
    }
    for (uint32_t k = 0; k < output.rank; ++k) {
      if (!ExpectDim(op, "outputs", output.dim(k), input.dim(k < axis ? k : k + 1))) return false;
    }
  }
  UnpackData* data = op.Data<UnpackData>();
  if (data == nullptr) return false;
  *data = {op.output_count(), Elements(input, 0, axis), Elements(input, axis + 1, input.rank) * BytesOf(input.type)};
  return true;
}

void EvalUnpack(const Eval& op) {
  const UnpackData& d = op.Data<UnpackData>();
  const uint8_t* in = op.Input<uint8_t>(0);
  for (uint32_t k = 0; k < d.outer; ++k) {
    for (uint32_t i = 0; i < d.count; ++i, in += d.bytes) CopyBytes(op.Output<uint8_t>(i) + k * d.bytes, in, d.bytes);
  }
}

}  // namespace

extern const OpRegistration kOp_UNPACK = {schema::kUnpack, "UNPACK", PrepareUnpack, EvalUnpack};

}  // namespace tinyhil
