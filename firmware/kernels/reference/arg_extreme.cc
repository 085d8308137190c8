// SPDX-License-Identifier: Apache-2.0
// ARG_MAX and ARG_MIN along one axis: int8 and float in, int32 out. The first of equal values counts. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct ArgData {
  TensorType type;
  int32_t outer;
  int32_t axis;  // how many values there are to choose from
  int32_t inner;
};

bool PrepareArg(Prepare& op) {
  Tensor input, axis, output;
  ArgData* data = op.Data<ArgData>();
  if (data == nullptr || !op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Input(1, &axis) || !op.Output(0, &output) ||
      !ExpectType(op, input, "inputs[0]", TypeBit(TensorType::kInt8) | TypeBit(TensorType::kFloat32)) ||
      !ExpectType(op, axis, "inputs[1]", TypeBit(TensorType::kInt32)) ||
      !ExpectType(op, output, "outputs[0]", TypeBit(TensorType::kInt32))) {
    return false;
  }
  if (!axis.constant()) return op.Fail(Code::kModelUnsupported, "inputs[1]", "the axis must be a constant");
  const int32_t rank = static_cast<int32_t>(input.rank);
  int32_t at = *static_cast<const int32_t*>(axis.data);
  if (at < -rank || at >= rank) {
    return op.Fail(Code::kModelMalformed, "inputs[1]", "no such axis", static_cast<uint32_t>(at), input.rank);
  }
  if (at < 0) at += rank;
  int32_t outer = 1;
  for (int32_t i = 0; i < at; ++i) outer *= input.dim(static_cast<uint32_t>(i));
  const int32_t values = input.dim(static_cast<uint32_t>(at));
  *data = {input.type, outer, values, static_cast<int32_t>(input.elements) / outer / values};
  const uint32_t outputs = input.elements / static_cast<uint32_t>(values);
  if (output.elements != outputs) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "not what the axis leaves of the input", output.elements,
                   outputs);
  }
  return true;
}

template <bool kMax, typename T>
void Find(const ArgData& d, const T* in, int32_t* out) {
  for (int32_t outer = 0; outer < d.outer; ++outer, in += (d.axis - 1) * d.inner) {
    for (int32_t inner = 0; inner < d.inner; ++inner, ++in) {
      const T* value = in;
      T best = *value;
      int32_t index = 0;
      for (int32_t i = 1; i < d.axis; ++i) {
        value += d.inner;
        if (kMax ? *value > best : *value < best) {
          best = *value;
          index = i;
        }
      }
      *out++ = index;
    }
  }
}

template <bool kMax>
void EvalArg(const Eval& op) {
  const ArgData& d = op.Data<ArgData>();
  if (d.type == TensorType::kInt8) {
    Find<kMax>(d, op.Input<int8_t>(0), op.Output<int32_t>(0));
  } else {
    Find<kMax>(d, op.Input<float>(0), op.Output<int32_t>(0));
  }
}

}  // namespace

extern const OpRegistration kOp_ARG_MAX = {schema::kArgMax, "ARG_MAX", PrepareArg, EvalArg<true>};
extern const OpRegistration kOp_ARG_MIN = {schema::kArgMin, "ARG_MIN", PrepareArg, EvalArg<false>};

}  // namespace tinyhil
