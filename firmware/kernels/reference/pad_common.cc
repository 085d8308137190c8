// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/pad_common.h"

#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxPadded = 5;

// Dimensions that are not padded are joined to those above them; what is left of the last is moved as one.
struct PadData {
  uint32_t rank;
  uint32_t element_bytes;
  uint32_t value;               // where no input gives it
  bool value_is_input;          // in input 2
  uint32_t run_bytes;           // of input that lies together in the output
  int32_t dims[kMaxPadded];     // of the input
  uint32_t before[kMaxPadded];  // bytes
  uint32_t after[kMaxPadded];
};

bool ReadValue(Prepare& op, const Tensor& input, const Tensor& output, PadData* data) {
  data->value_is_input = op.input_count() == 3;
  if (!data->value_is_input) {
    data->value = input.type == TensorType::kInt8 ? static_cast<uint32_t>(output.zero_point) : 0;
    return true;
  }
  Tensor value;
  if (!op.Input(2, &value)) return false;
  if (value.type != input.type) {
    return op.Fail(Code::kModelMalformed, "constant_values", "must have the input's type",
                   static_cast<uint32_t>(value.type), static_cast<uint32_t>(input.type));
  }
  if (value.elements != 1) return op.Fail(Code::kModelMalformed, "constant_values", "must be one", value.elements, 1);
  if (input.type == TensorType::kInt8 && (value.scale() != output.scale() || value.zero_point != output.zero_point)) {
    return op.Fail(Code::kModelUnsupported, "constant_values", "must have the output's scale and zero point");
  }
  return true;
}

// `count` bytes of the value.
uint8_t* Fill(const PadData& d, const void* value, uint32_t count, uint8_t* out) {
  if (d.element_bytes == 1) {
    __builtin_memset(out, *static_cast<const uint8_t*>(value), count);
    return out + count;
  }
  for (uint32_t i = 0; i < count; i += d.element_bytes) __builtin_memcpy(out + i, value, d.element_bytes);
  return out + count;
}

struct Place {
  const uint8_t* in;
  uint8_t* out;
};

void PadDimension(const PadData& d, const void* value, uint32_t dim, Place& at) {
  at.out = Fill(d, value, d.before[dim], at.out);
  if (dim + 1 == d.rank) {
    CopyBytes(at.out, at.in, d.run_bytes);
    at.in += d.run_bytes;
    at.out += d.run_bytes;
  } else {
    for (int32_t i = 0; i < d.dims[dim]; ++i) PadDimension(d, value, dim + 1, at);
  }
  at.out = Fill(d, value, d.after[dim], at.out);
}

}  // namespace

bool PreparePad(Prepare& op) {
  Tensor input, output;
  const int32_t* paddings;
  if (!op.Expect(2, 3, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectTypes(op, input, output,
                   Types(TensorType::kInt8, TensorType::kInt16, TensorType::kInt32, TensorType::kFloat32))) {
    return false;
  }
  if (input.rank > kMaxPadded) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "too many dimensions", input.rank, kMaxPadded);
  }
  PadData d = {};
  d.element_bytes = BytesOf(input.type);
  if (!ReadInts(op, 1, "paddings", 2 * input.rank, &paddings) || !ExpectRank(op, output, "outputs[0]", input.rank) ||
      !ReadValue(op, input, output, &d)) {
    return false;
  }
  d.run_bytes = d.element_bytes;
  for (uint32_t i = 0; i < input.rank; ++i) {
    const int32_t before = paddings[2 * i], after = paddings[2 * i + 1], size = input.dim(i);
    if (before < 0 || after < 0) {
      return op.Fail(Code::kModelUnsupported, "paddings", "negative",
                     static_cast<uint32_t>(before < 0 ? before : after));
    }
    const int64_t padded = int64_t{size} + before + after;
    if (padded != output.dim(i)) {
      return ExpectDim(op, "outputs[0]", output.dim(i), padded > INT32_MAX ? -1 : static_cast<int32_t>(padded));
    }
    const uint32_t below = Elements(output, i + 1, output.rank) * d.element_bytes;
    if (before == 0 && after == 0 && d.rank > 0) {
      d.dims[d.rank - 1] *= size;
    } else {
      d.before[d.rank] = static_cast<uint32_t>(before) * below;
      d.after[d.rank] = static_cast<uint32_t>(after) * below;
      d.dims[d.rank++] = size;
    }
  }
  if (d.rank == 0) d.dims[d.rank++] = 1;
  d.run_bytes *= static_cast<uint32_t>(d.dims[d.rank - 1]);
  PadData* data = op.Data<PadData>();
  if (data == nullptr) return false;
  *data = d;
  return true;
}

void EvalPad(const Eval& op) {
  const PadData& d = op.Data<PadData>();
  const void* value = d.value_is_input ? op.Input<uint8_t>(2) : reinterpret_cast<const uint8_t*>(&d.value);
  Place at = {op.Input<uint8_t>(0), op.Output<uint8_t>(0)};
  PadDimension(d, value, 0, at);
}

}  // namespace tinyhil
