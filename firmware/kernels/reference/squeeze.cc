// SPDX-License-Identifier: Apache-2.0
// SQUEEZE, any type: dimensions of 1 go away, the bytes stay. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct SqueezeData {
  uint32_t bytes;
};

// A bit for each dimension that goes: those that are listed, or without a list all that are 1.
bool Squeezed(Prepare& op, const Table& options, const Tensor& input, uint32_t* mask) {
  const Vector list = options.VectorOf(schema::kSqueezeDims, "squeeze_dims", 4);
  if (!op.ok()) return false;
  *mask = 0;
  for (uint32_t i = 0; list.count == 0 && i < input.rank; ++i) *mask |= (input.dim(i) == 1 ? 1u : 0u) << i;
  for (uint32_t i = 0; i < list.count; ++i) {
    int32_t dim = static_cast<int32_t>(op.Word(list, i));
    if (dim < 0) dim += static_cast<int32_t>(input.rank);
    if (dim < 0 || dim >= static_cast<int32_t>(input.rank) || input.dim(static_cast<uint32_t>(dim)) != 1) {
      return op.Fail(Code::kModelMalformed, "squeeze_dims", "not a dimension of 1", static_cast<uint32_t>(dim));
    }
    *mask |= 1u << dim;
  }
  return true;
}

bool PrepareSqueeze(Prepare& op) {
  Tensor input, output;
  Table options;
  uint32_t mask;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output) ||
      !op.Options(schema::kSqueezeOptions, &options) || !Squeezed(op, options, input, &mask)) {
    return false;
  }
  if (input.type != output.type) return op.Fail(Code::kModelMalformed, "outputs[0]", "must have the input's type");
  uint32_t left = 0;
  for (uint32_t i = 0; i < input.rank; ++i) {
    if ((mask >> i & 1) != 0) continue;
    if (left >= output.rank) return ExpectRank(op, output, "outputs[0]", left + 1);
    if (!ExpectDim(op, "outputs[0]", output.dim(left++), input.dim(i))) return false;
  }
  if (!ExpectRank(op, output, "outputs[0]", left)) return false;
  SqueezeData* data = op.Data<SqueezeData>();
  if (data == nullptr) return false;
  data->bytes = input.bytes;
  return true;
}

void EvalSqueeze(const Eval& op) {
  __builtin_memcpy(op.Output<uint8_t>(0), op.Input<uint8_t>(0), op.Data<SqueezeData>().bytes);
}

}  // namespace

extern const OpRegistration kOp_SQUEEZE = {schema::kSqueeze, "SQUEEZE", PrepareSqueeze, EvalSqueeze};

}  // namespace tinyhil
