// SPDX-License-Identifier: Apache-2.0
// SVDF, int8, with int8 or int16 state: a memory of each filter's last outputs, weighted over time.
//
// Each filter's memory moves on by one and takes the filter's new output; a unit is the sum over its filters (its
// rank). The state is a variable tensor. No scratch. A fused activation is ignored, as in the oracle.
#include "kernels/reference/svdf.h"

#include "kernels/ops.h"
#include "kernels/reference/dot.h"

namespace tinyhil {
namespace {

bool ExpectMatrix(Prepare& op, const Tensor& tensor, const char* field, int32_t rows, int32_t columns) {
  return ExpectRank(op, tensor, field, 2) && ExpectDim(op, field, tensor.dim(0), rows) &&
         ExpectDim(op, field, tensor.dim(1), columns);
}

}  // namespace

bool CheckSvdf(Prepare& op, SvdfData* data) {
  Tensor input, features, times, bias, state, output;
  Table options;
  if (!op.Expect(5, 5, 1) || !op.Input(0, &input) || !op.Input(1, &features) || !op.Input(2, &times) ||
      !op.Input(3, &bias) || !op.Input(4, &state) || !op.Output(0, &output) ||
      !op.Options(schema::kSvdfOptions, &options)) {
    return false;
  }
  const int32_t rank = options.I32(schema::kSvdfRank, "rank", 0);
  if (!op.ok() || !ExpectInt8(op, input, "inputs[0]") || !ExpectInt8(op, output, "outputs[0]") ||
      !ExpectInt8(op, features, "feature weights") || !ExpectRank(op, input, "inputs[0]", 2) ||
      !ExpectRank(op, features, "feature weights", 2) || !ExpectRank(op, times, "time weights", 2)) {
    return false;
  }
  SvdfData d = {};
  d.batches = input.dim(0);
  d.inputs = input.dim(1);
  d.filters = features.dim(0);
  d.memory = times.dim(1);
  d.rank = rank;
  if (rank < 1 || d.filters % rank != 0) {
    return op.Fail(Code::kModelMalformed, "rank", "does not divide the number of filters", static_cast<uint32_t>(rank),
                   static_cast<uint32_t>(d.filters));
  }
  const int32_t units = d.filters / rank;
  if (d.memory > INT32_MAX / d.filters) return op.Fail(Code::kModelUnsupported, "state", "too large");
  if (!ExpectMatrix(op, features, "feature weights", d.filters, d.inputs) ||
      !ExpectMatrix(op, times, "time weights", d.filters, d.memory) ||
      !ExpectMatrix(op, state, "state", d.batches, d.filters * d.memory) ||
      !ExpectMatrix(op, output, "outputs[0]", d.batches, units) ||
      !ExpectType(op, times, "time weights", TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16)) ||
      !ExpectType(op, state, "state", TypeBit(times.type)) ||
      !ExpectType(op, bias, "bias", TypeBit(TensorType::kInt32)) || !ExpectQuantized(op, times, "time weights") ||
      !ExpectQuantized(op, state, "state")) {
    return false;
  }
  if (!state.variable) return op.Fail(Code::kModelMalformed, "state", "must be a variable tensor");
  if (!features.constant() || !times.constant() || !bias.constant()) {
    return op.Fail(Code::kModelUnsupported, "inputs", "weights and bias must be constants");
  }
  if (bias.elements != static_cast<uint32_t>(units)) {
    return op.Fail(Code::kModelMalformed, "bias", "one a unit", bias.elements, static_cast<uint32_t>(units));
  }
  const float product = state.scale() * times.scale(), difference = bias.scale() - product;
  if (!(difference < 1.0e-5f) || !(difference > -1.0e-5f)) {
    return op.Fail(Code::kModelUnsupported, "bias", "its scale must be that of state times time weights");
  }
  const float to_state = input.scale() * features.scale() / state.scale(), to_output = product / output.scale();
  if (!ExpectRatio(op, to_state) || !ExpectRatio(op, to_output)) return false;
  d.to_state = MultiplierOf(to_state);
  d.to_output = MultiplierOf(to_output);
  d.feature_weights = static_cast<const int8_t*>(features.data);
  d.time_weights = times.data;
  d.bias = static_cast<const int32_t*>(bias.data);
  d.wide = times.type == TensorType::kInt16;
  d.input_zero_point = input.zero_point;
  d.state_zero_point = state.zero_point;
  d.output_zero_point = output.zero_point;
  *data = d;
  return ExpectShift(op, d.to_state) && ExpectShift(op, d.to_output);
}

namespace {

bool PrepareSvdf(Prepare& op) {
  SvdfData* data = op.Data<SvdfData>();
  return data != nullptr && CheckSvdf(op, data);
}

// Every filter's memory moves on by one and takes the new output.
template <typename T>
void UpdateState(const SvdfData& d, const int8_t* in, T* state) {
  constexpr int32_t kHighest = (1 << (8 * sizeof(T) - 1)) - 1;
  const int8_t* weights = d.feature_weights;
  for (int32_t filter = 0; filter < d.filters; filter += 4) {
    FourSums sums = {};
    const int32_t count = d.filters - filter < 4 ? d.filters - filter : 4;
    if (count == 4) {
      sums = DotOneByFour(in, d.input_zero_point, weights, d.inputs);
    } else {
      for (int32_t k = 0; k < count; ++k) {
        for (int32_t i = 0; i < d.inputs; ++i) {
          Accumulate(sums.s[k], in[i] - d.input_zero_point, weights[k * d.inputs + i]);
        }
      }
    }
    weights += count * d.inputs;
    for (int32_t k = 0; k < count; ++k, state += d.memory) {
      __builtin_memmove(state, state + 1, static_cast<uint32_t>(d.memory - 1) * sizeof(T));
      const int32_t x = Requantize(static_cast<int32_t>(sums.s[k]), d.to_state.value, d.to_state.shift);
      state[d.memory - 1] = static_cast<T>(Clamp(x, -kHighest - 1, kHighest) + d.state_zero_point);
    }
  }
}

template <typename T>
void Run(const SvdfData& data, const Eval& op) {
  const SvdfData d = data;  // a byte that is stored may alias anything behind a pointer
  const int8_t* in = op.Input<int8_t>(0);
  T* state = op.VariableInput<T>(4);
  int8_t* out = op.Output<int8_t>(0);
  const int32_t units = d.filters / d.rank, window = d.rank * d.memory;
  for (int32_t batch = 0; batch < d.batches; ++batch, in += d.inputs) {
    UpdateState(d, in, state);
    const T* weights = static_cast<const T*>(d.time_weights);
    for (int32_t unit = 0; unit < units; ++unit) {
      uint32_t sum = static_cast<uint32_t>(d.bias[unit]);
      for (int32_t k = window; k != 0; --k) Accumulate(sum, *weights++, *state++ - d.state_zero_point);
      const int32_t x = Requantize(static_cast<int32_t>(sum), d.to_output.value, d.to_output.shift);
      *out++ = static_cast<int8_t>(Clamp(AddWrapping(x, d.output_zero_point), -128, 127));
    }
  }
}

void EvalSvdf(const Eval& op) {
  const SvdfData& d = op.Data<SvdfData>();
  if (d.wide) {
    Run<int16_t>(d, op);
  } else {
    Run<int8_t>(d, op);
  }
}

}  // namespace

extern const OpRegistration kOp_SVDF = {schema::kSvdf, "SVDF", PrepareSvdf, EvalSvdf};

}  // namespace tinyhil
