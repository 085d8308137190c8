// SPDX-License-Identifier: Apache-2.0
// PACK, int8, int16, int32, int64 and float32: tensors of one shape, stacked along a new axis. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kTypes =
    Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kInt64, TensorType::kFloat32);

struct PackData {
  uint32_t count;
  uint32_t outer;
  uint32_t bytes;  // of a piece
};

bool PreparePack(Prepare& op) {
  Tensor output, input;
  Table options;
  uint32_t axis;
  if (!op.Expect(1, 0xFFFF, 1) || !op.Output(0, &output) || !op.Options(schema::kPackOptions, &options)) return false;
  const int32_t count = options.I32(schema::kPackCount, "values_count", 0);
  const int32_t wanted = options.I32(schema::kPackAxis, "axis", 0);
  if (!op.ok() || !ReadAxis(op, "axis", wanted, output.rank, &axis) ||
      !ExpectDim(op, "values_count", count, static_cast<int32_t>(op.input_count())) ||
      !ExpectDim(op, "outputs[0]", output.dim(axis), count)) {
    return false;
  }
  for (uint32_t i = 0; i < op.input_count(); ++i) {
    if (!op.Input(i, &input) || !ExpectTypes(op, input, output, kTypes) ||
        !ExpectRank(op, input, "inputs", output.rank - 1)) {
      return false;
    }
    for (uint32_t k = 0; k < input.rank; ++k) {
      if (!ExpectDim(op, "inputs", input.dim(k), output.dim(k < axis ? k : k + 1))) return false;
    }
  }
  PackData* data = op.Data<PackData>();
  if (data == nullptr) return false;
  *data = {op.input_count(), Elements(output, 0, axis), Elements(output, axis + 1, output.rank) * BytesOf(output.type)};
  return true;
}

void EvalPack(const Eval& op) {
  const PackData& d = op.Data<PackData>();
  uint8_t* out = op.Output<uint8_t>(0);
  for (uint32_t k = 0; k < d.outer; ++k) {
    for (uint32_t i = 0; i < d.count; ++i, out += d.bytes) CopyBytes(out, op.Input<uint8_t>(i) + k * d.bytes, d.bytes);
  }
}

}  // namespace

extern const OpRegistration kOp_PACK = {schema::kPack, "PACK", PreparePack, EvalPack};

}  // namespace tinyhil
