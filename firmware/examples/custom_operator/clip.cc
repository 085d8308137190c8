// SPDX-License-Identifier: Apache-2.0
// A custom operator: Clip, int8. It keeps values within two bounds, int8 numbers in the operator's custom_options.
#include "interpreter/kernel.h"

namespace tinyhil {
namespace {

struct ClipData {
  uint32_t elements;
  int8_t low;
  int8_t high;
};

// Checks everything that Eval relies on: what fails here is refused by name, and never runs.
bool PrepareClip(Prepare& op) {
  Tensor input, output;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (input.type != TensorType::kInt8 || output.type != TensorType::kInt8) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "must be int8");
  }
  if (output.elements != input.elements) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "must have as many elements as the input", output.elements,
                   input.elements);
  }
  const uint8_t* options;
  const uint32_t option_bytes = op.CustomOptions(&options);
  if (option_bytes != 2) return op.Fail(Code::kModelMalformed, "custom_options", "two bounds", option_bytes, 2);
  ClipData* data = op.Data<ClipData>();
  if (data == nullptr) return false;
  *data = {input.elements, static_cast<int8_t>(options[0]), static_cast<int8_t>(options[1])};
  return true;
}

void EvalClip(const Eval& op) {
  const ClipData& d = op.Data<ClipData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  for (uint32_t i = 0; i < d.elements; ++i) {
    const int8_t value = in[i] < d.low ? d.low : in[i];
    out[i] = value > d.high ? d.high : value;
  }
}

}  // namespace

extern const OpRegistration kOp_Clip = {schema::kCustom, "Clip", PrepareClip, EvalClip};

}  // namespace tinyhil
