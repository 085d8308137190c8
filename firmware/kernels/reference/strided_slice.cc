// SPDX-License-Identifier: Apache-2.0
// STRIDED_SLICE, int8, int16, int32, float32 and bool, up to four dimensions, forwards and backwards. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxSliced = 4;

// Where along an axis a bound lies that may count from the end.
int32_t Bound(int32_t index, int32_t size, int32_t low, int32_t high) {
  if (index < 0) index += size;
  return Clamp(index, low, high);
}

bool PrepareStridedSlice(Prepare& op) {
  Tensor input, output;
  Table options;
  const int32_t *begin, *end, *strides;
  if (!op.Expect(4, 4, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectTypes(
          op, input, output,
          Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kFloat32, TensorType::kBool))) {
    return false;
  }
  if (input.rank > kMaxSliced) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "too many dimensions", input.rank, kMaxSliced);
  }
  if (!ReadInts(op, 1, "begin", input.rank, &begin) || !ReadInts(op, 2, "end", input.rank, &end) ||
      !ReadInts(op, 3, "strides", input.rank, &strides) || !op.Options(schema::kStridedSliceOptions, &options)) {
    return false;
  }
  const uint32_t begin_mask = options.U32(schema::kStridedBeginMask, "begin_mask", 0);
  const uint32_t end_mask = options.U32(schema::kStridedEndMask, "end_mask", 0);
  const uint32_t shrink_mask = options.U32(schema::kStridedShrinkMask, "shrink_axis_mask", 0);
  if (options.U32(schema::kStridedEllipsisMask, "ellipsis_mask", 0) != 0) {
    return op.Fail(Code::kModelUnsupported, "ellipsis_mask", "must be 0");
  }
  if (options.U32(schema::kStridedNewAxisMask, "new_axis_mask", 0) != 0) {
    return op.Fail(Code::kModelUnsupported, "new_axis_mask", "must be 0");
  }
  if (options.U8(schema::kStridedOffset, "offset", 0) != 0) {
    return op.Fail(Code::kModelUnsupported, "offset", "ends that count from the beginnings are not supported");
  }
  if (!op.ok()) return false;
  StridedCopy copy = {};
  copy.rank = input.rank;
  uint32_t left = 0;  // of the output's dimensions
  for (uint32_t i = 0; i < input.rank; ++i) {
    const int32_t size = input.dim(i), stride = strides[i];
    if (stride == 0 || stride == INT32_MIN) {
      return op.Fail(Code::kModelMalformed, "strides", "must not be 0", static_cast<uint32_t>(stride));
    }
    const int32_t low = stride > 0 ? 0 : -1, high = stride > 0 ? size : size - 1;
    const bool from_edge = (begin_mask >> i & 1) != 0, to_edge = (end_mask >> i & 1) != 0;
    const int32_t first = from_edge ? (stride > 0 ? 0 : size - 1) : Bound(begin[i], size, low, high);
    const int32_t last = to_edge ? (stride > 0 ? size : -1) : Bound(end[i], size, low, high);
    int32_t count = 1;
    if ((shrink_mask >> i & 1) != 0) {
      if (stride < 0 || first >= size) {
        return op.Fail(Code::kModelMalformed, "shrink_axis_mask", "no such element", static_cast<uint32_t>(first),
                       static_cast<uint32_t>(size));
      }
    } else {
      const int32_t span = stride > 0 ? last - first : first - last;
      const int32_t step = stride > 0 ? stride : -stride;
      count = span > 0 ? (span - 1) / step + 1 : 0;
      if (left >= output.rank) return ExpectRank(op, output, "outputs[0]", left + 1);
      if (!ExpectDim(op, "outputs[0]", output.dim(left++), count)) return false;
    }
    const int32_t size_below = static_cast<int32_t>(Elements(input, i + 1, input.rank));
    copy.start += first * size_below;
    copy.dims[i] = count;
    copy.steps[i] = count > 1 ? stride * size_below : 0;  // one step stays within the tensor, so this does not wrap
  }
  if (!ExpectRank(op, output, "outputs[0]", left)) return false;
  Simplify(BytesOf(input.type), &copy);
  StridedCopy* data = op.Data<StridedCopy>();
  if (data == nullptr) return false;
  *data = copy;
  return true;
}

void EvalStridedSlice(const Eval& op) { Copy(op.Data<StridedCopy>(), op.Input<uint8_t>(0), op.Output<uint8_t>(0)); }

}  // namespace

extern const OpRegistration kOp_STRIDED_SLICE = {schema::kStridedSlice, "STRIDED_SLICE", PrepareStridedSlice,
                                                 EvalStridedSlice};

}  // namespace tinyhil
