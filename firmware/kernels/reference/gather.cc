// SPDX-License-Identifier: Apache-2.0
// GATHER, int8 and float32, by int32 positions. No scratch.
//
// A position that is computed and lies outside the input cannot be refused any more: it counts as the nearest one
// inside.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct GatherData {
  uint32_t batches;    // of positions
  uint32_t outer;      // slices along the axis in a batch
  int32_t size;        // of the axis
  uint32_t positions;  // in a batch
  uint32_t bytes;      // below the axis
};

bool PrepareGather(Prepare& op) {
  Tensor input, positions, output;
  Table options;
  uint32_t axis;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Input(1, &positions) || !op.Output(0, &output) ||
      !ExpectTypes(op, input, output, Types(TensorType::kInt8, TensorType::kFloat32)) ||
      !op.Options(schema::kGatherOptions, &options)) {
    return false;
  }
  const int32_t wanted = options.I32(schema::kGatherAxis, "axis", 0);
  int32_t batch_dims = options.I32(schema::kGatherBatchDims, "batch_dims", 0);
  if (!op.ok() || !ReadAxis(op, "axis", wanted, input.rank, &axis)) return false;
  if (positions.type != TensorType::kInt32) {
    return op.Fail(Code::kModelUnsupported, "positions", "must be int32", static_cast<uint32_t>(positions.type),
                   static_cast<uint32_t>(TensorType::kInt32));
  }
  if (batch_dims < 0) batch_dims += static_cast<int32_t>(positions.rank);
  const uint32_t batch_rank = static_cast<uint32_t>(batch_dims);
  if (batch_dims < 0 || batch_rank > axis || batch_rank > positions.rank) {
    return op.Fail(Code::kModelMalformed, "batch_dims", "more than there are before the axis", batch_rank, axis);
  }
  for (uint32_t i = 0; i < batch_rank; ++i) {
    if (!ExpectDim(op, "positions", positions.dim(i), input.dim(i))) return false;
  }
  if (!ExpectRank(op, output, "outputs[0]", input.rank + positions.rank - 1 - batch_rank)) return false;
  uint32_t at = 0;
  const auto expect = [&](const Tensor& from, uint32_t first, uint32_t last) {
    for (uint32_t i = first; i < last; ++i) {
      if (!ExpectDim(op, "outputs[0]", output.dim(at++), from.dim(i))) return false;
    }
    return true;
  };
  if (!expect(input, 0, axis) || !expect(positions, batch_rank, positions.rank) ||
      !expect(input, axis + 1, input.rank)) {
    return false;
  }
  const int32_t size = input.dim(axis);
  for (uint32_t i = 0; positions.constant() && i < positions.elements; ++i) {
    const int32_t position = static_cast<const int32_t*>(positions.data)[i];
    if (position < 0 || position >= size) {
      return op.Fail(Code::kModelMalformed, "positions", "outside the input", static_cast<uint32_t>(position),
                     static_cast<uint32_t>(size));
    }
  }
  GatherData* data = op.Data<GatherData>();
  if (data == nullptr) return false;
  *data = {Elements(input, 0, batch_rank), Elements(input, batch_rank, axis), size,
           Elements(positions, batch_rank, positions.rank),
           Elements(input, axis + 1, input.rank) * BytesOf(input.type)};
  return true;
}

void EvalGather(const Eval& op) {
  const GatherData& d = op.Data<GatherData>();
  const uint8_t* in = op.Input<uint8_t>(0);
  const int32_t* positions = op.Input<int32_t>(1);
  uint8_t* out = op.Output<uint8_t>(0);
  const uint32_t slice = static_cast<uint32_t>(d.size) * d.bytes;
  for (uint32_t batch = 0; batch < d.batches; ++batch, positions += d.positions) {
    for (uint32_t outer = 0; outer < d.outer; ++outer, in += slice) {
      for (uint32_t i = 0; i < d.positions; ++i, out += d.bytes) {
        CopyBytes(out, in + static_cast<uint32_t>(Clamp(positions[i], 0, d.size - 1)) * d.bytes, d.bytes);
      }
    }
  }
}

}  // namespace

extern const OpRegistration kOp_GATHER = {schema::kGather, "GATHER", PrepareGather, EvalGather};

}  // namespace tinyhil
