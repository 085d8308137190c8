// SPDX-License-Identifier: Apache-2.0
// ADD, int8, with broadcasting over up to six dimensions.
//
// Both inputs are brought to a common scale, twice the larger of theirs, with 20 bits of headroom; the sum is
// rescaled to the output. No scratch.
#include "kernels/reference/add.h"

#include "kernels/ops.h"

namespace tinyhil {
namespace {

constexpr int32_t kHeadroom = AddData::kHeadroom;

bool Broadcast(Prepare& op, const Tensor (&inputs)[2], const Tensor& output, AddData* data) {
  for (uint32_t i = 0; i < Tensor::kMaxRank; ++i) data->dims[i] = 1;
  for (uint32_t i = 0; i < output.rank; ++i) data->dims[Tensor::kMaxRank - output.rank + i] = output.dim(i);
  int32_t expected[Tensor::kMaxRank] = {1, 1, 1, 1, 1, 1};
  bool same = true;
  for (uint32_t k = 0; k < 2; ++k) {
    int32_t step = 1;
    const Tensor& input = inputs[k];
    if (input.rank > output.rank)
      return op.Fail(Code::kModelMalformed, "outputs[0]", "has fewer dimensions than an input");
    for (uint32_t i = Tensor::kMaxRank; i-- > 0;) {
      const uint32_t missing = Tensor::kMaxRank - input.rank;
      const int32_t dim = i < missing ? 1 : input.dim(i - missing);
      if (dim != 1 && dim != data->dims[i]) return ExpectDim(op, "inputs", dim, data->dims[i]);
      if (dim > expected[i]) expected[i] = dim;
      data->step[k][i] = dim == 1 ? 0 : step;
      same = same && dim == data->dims[i];
      step *= dim;
    }
  }
  for (uint32_t i = 0; i < Tensor::kMaxRank; ++i) {
    if (!ExpectDim(op, "outputs[0]", data->dims[i], expected[i])) return false;
  }
  data->elements = same ? output.elements : 0;
  return true;
}

}  // namespace

bool CheckAdd(Prepare& op, AddData* data) {
  Tensor inputs[2], output;
  Table options;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &inputs[0]) || !op.Input(1, &inputs[1]) || !op.Output(0, &output))
    return false;
  if (!ExpectInt8(op, inputs[0], "inputs[0]") || !ExpectInt8(op, inputs[1], "inputs[1]") ||
      !ExpectInt8(op, output, "outputs[0]") || !op.Options(schema::kAddOptions, &options)) {
    return false;
  }
  const float larger = inputs[0].scale() > inputs[1].scale() ? inputs[0].scale() : inputs[1].scale();
  for (uint32_t k = 0; k < 2; ++k) {
    data->zero_point[k] = inputs[k].zero_point;
    data->multiplier[k] = MakeMultiplier(inputs[k].scale(), 0.5f, larger);
  }
  data->sum = MakeMultiplier(larger, 2.0f / (1 << kHeadroom), output.scale());
  if (data->sum.shift > 0) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "scale too small for the inputs' scales");
  }
  data->output_zero_point = output.zero_point;
  const uint8_t activation = options.U8(schema::kAddActivation, "fused_activation_function", schema::kNone);
  return op.ok() && Broadcast(op, inputs, output, data) && ActivationRange(op, activation, output, &data->range);
}

namespace {

bool PrepareAdd(Prepare& op) {
  AddData* data = op.Data<AddData>();
  return data != nullptr && CheckAdd(op, data);
}

inline int8_t AddOne(const AddData& d, int32_t a, int32_t b) {
  const int32_t x = ShiftLeft(a - d.zero_point[0], kHeadroom), y = ShiftLeft(b - d.zero_point[1], kHeadroom);
  const int32_t sum = RoundingShiftRight(DoublingHighMulPositive(x, d.multiplier[0].value), -d.multiplier[0].shift) +
                      RoundingShiftRight(DoublingHighMulPositive(y, d.multiplier[1].value), -d.multiplier[1].shift);
  const int32_t scaled = RoundingShiftRight(DoublingHighMulPositive(sum, d.sum.value), -d.sum.shift);
  return static_cast<int8_t>(Clamp(scaled + d.output_zero_point, d.range.low, d.range.high));
}

// One dimension at a time, the last in a loop of its own.
int8_t* AddBroadcast(const AddData& d, uint32_t dim, const int8_t* a, const int8_t* b, int8_t* out) {
  const int32_t step_a = d.step[0][dim], step_b = d.step[1][dim];
  for (int32_t i = 0; i < d.dims[dim]; ++i, a += step_a, b += step_b) {
    if (dim == Tensor::kMaxRank - 1) {
      *out++ = AddOne(d, *a, *b);
    } else {
      out = AddBroadcast(d, dim + 1, a, b, out);
    }
  }
  return out;
}

void EvalAdd(const Eval& op) {
  const AddData& d = op.Data<AddData>();
  const int8_t* a = op.Input<int8_t>(0);
  const int8_t* b = op.Input<int8_t>(1);
  int8_t* out = op.Output<int8_t>(0);
  if (d.elements == 0) {
    AddBroadcast(d, 0, a, b, out);
    return;
  }
  for (uint32_t i = 0; i < d.elements; ++i) out[i] = AddOne(d, a[i], b[i]);
}

}  // namespace

extern const OpRegistration kOp_ADD = {schema::kAdd, "ADD", PrepareAdd, EvalAdd};

}  // namespace tinyhil
