// SPDX-License-Identifier: Apache-2.0
// SLICE, int8, int16, int32, float32 and bool, up to five dimensions; where it begins and its size are constants.
// No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxSliced = 5;

// One entry of an int32 or int64 vector that fits 32 bits.
bool Entry(Prepare& op, const Tensor& tensor, const char* field, uint32_t i, int32_t* out) {
  if (tensor.type == TensorType::kInt32) {
    *out = static_cast<const int32_t*>(tensor.data)[i];
    return true;
  }
  // The file aligns it to four bytes only.
  const uint8_t* bytes = static_cast<const uint8_t*>(tensor.data) + 8 * i;
  *out = static_cast<int32_t>(LoadU32(bytes));
  const int32_t high = static_cast<int32_t>(LoadU32(bytes + 4));
  return high == (*out < 0 ? -1 : 0) || op.Fail(Code::kModelMalformed, field, "does not fit 32 bits");
}

bool ReadBounds(Prepare& op, uint32_t input, const char* field, uint32_t rank, Tensor* out) {
  if (!op.Input(input, out)) return false;
  if (out->type != TensorType::kInt32 && out->type != TensorType::kInt64) {
    return op.Fail(Code::kModelUnsupported, field, "must be int32 or int64", static_cast<uint32_t>(out->type));
  }
  if (!out->constant()) return op.Fail(Code::kModelUnsupported, field, "must be a constant");
  if (out->elements == rank) return true;
  return op.Fail(Code::kModelMalformed, field, "one for each dimension", out->elements, rank);
}

bool PrepareSlice(Prepare& op) {
  Tensor input, begins, sizes, output;
  if (!op.Expect(3, 3, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectTypes(
          op, input, output,
          Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kFloat32, TensorType::kBool))) {
    return false;
  }
  if (input.rank > kMaxSliced) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "too many dimensions", input.rank, kMaxSliced);
  }
  if (!ReadBounds(op, 1, "begin", input.rank, &begins) || !ReadBounds(op, 2, "size", input.rank, &sizes)) return false;
  if (begins.type != sizes.type) return op.Fail(Code::kModelMalformed, "size", "must have the type of begin");
  if (!ExpectRank(op, output, "outputs[0]", input.rank)) return false;
  StridedCopy copy = {};
  copy.rank = input.rank;
  for (uint32_t i = 0; i < input.rank; ++i) {
    int32_t begin, size;
    if (!Entry(op, begins, "begin", i, &begin) || !Entry(op, sizes, "size", i, &size)) return false;
    if (begin < 0 || begin >= input.dim(i)) {
      return op.Fail(Code::kModelMalformed, "begin", "outside the input", static_cast<uint32_t>(begin),
                     static_cast<uint32_t>(input.dim(i)));
    }
    const int32_t most = input.dim(i) - begin;
    if (size == -1) size = most;
    if (size < 1 || size > most) {
      return op.Fail(Code::kModelMalformed, "size", "reaches outside the input", static_cast<uint32_t>(size),
                     static_cast<uint32_t>(most));
    }
    if (!ExpectDim(op, "outputs[0]", output.dim(i), size)) return false;
    copy.dims[i] = size;
    copy.steps[i] = static_cast<int32_t>(Elements(input, i + 1, input.rank));
    copy.start += begin * copy.steps[i];
  }
  Simplify(BytesOf(input.type), &copy);
  StridedCopy* data = op.Data<StridedCopy>();
  if (data == nullptr) return false;
  *data = copy;
  return true;
}

void EvalSlice(const Eval& op) { Copy(op.Data<StridedCopy>(), op.Input<uint8_t>(0), op.Output<uint8_t>(0)); }

}  // namespace

extern const OpRegistration kOp_SLICE = {schema::kSlice, "SLICE", PrepareSlice, EvalSlice};

}  // namespace tinyhil
