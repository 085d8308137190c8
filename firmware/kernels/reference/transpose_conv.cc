// SPDX-License-Identifier: Apache-2.0
// TRANSPOSE_CONV, int8: per-tensor or per-channel weights, any stride and padding. No scratch; 5 bytes a channel.
//
// Each output pixel gathers the taps of the filter that reach it: every stride-th row and column of it. So the sums are
// made in registers, where scattering would need 4 bytes an output.
#include "kernels/ops.h"
#include "kernels/reference/dot.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

// One axis. `window.input` is the output's length: the padding is that of the convolution that would undo this one.
struct Axis {
  Window window;
  int32_t input;
};

struct TransposeConvData {
  int32_t batches;
  int32_t input_channels;
  int32_t output_channels;
  int32_t input_zero_point;
  Axis y, x;
  const int8_t* filter;
  OutputStage stage;
};

bool PrepareTransposeConv(Prepare& op) {
  Tensor input, filter, output;
  Table options;
  if (!op.Expect(3, 4, 1) || !op.Input(1, &filter) || !op.Input(2, &input) || !op.Output(0, &output)) return false;
  if (!ExpectInt8(op, input, "inputs[2]") || !ExpectInt8(op, output, "outputs[0]") ||
      !ExpectRank(op, input, "inputs[2]", 4) || !ExpectRank(op, filter, "filter", 4) ||
      !ExpectRank(op, output, "outputs[0]", 4) || !ExpectFilter(op, filter, 0) ||
      !op.Options(schema::kTransposeConvOptions, &options)) {
    return false;
  }
  const uint8_t padding = options.U8(schema::kTransposeConvPadding, "padding", schema::kSame);
  const uint8_t activation = options.U8(schema::kTransposeConvActivation, "fused_activation_function", schema::kNone);
  TransposeConvData d = {};
  d.y = {{output.dim(1), 0, filter.dim(1), options.I32(schema::kTransposeConvStrideH, "stride_h", 0), 1, 0},
         input.dim(1)};
  d.x = {{output.dim(2), 0, filter.dim(2), options.I32(schema::kTransposeConvStrideW, "stride_w", 0), 1, 0},
         input.dim(2)};
  d.batches = input.dim(0);
  d.input_channels = input.dim(3);
  d.output_channels = output.dim(3);
  d.input_zero_point = input.zero_point;
  d.filter = static_cast<const int8_t*>(filter.data);
  if (!op.ok() || !MakeWindow(op, padding, &d.y.window) || !MakeWindow(op, padding, &d.x.window) ||
      !ExpectDim(op, "outputs[0]", output.dim(0), d.batches) ||
      !ExpectDim(op, "filter", filter.dim(0), d.output_channels) ||
      !ExpectDim(op, "filter", filter.dim(3), d.input_channels) ||
      !ReadOutputStage(op, 3, output, static_cast<uint32_t>(d.output_channels), activation, &d.stage) ||
      !MakeMultipliers(op, input, filter, output, &d.stage)) {
    return false;
  }
  TransposeConvData* data = op.Data<TransposeConvData>();
  if (data == nullptr) return false;
  *data = d;
  return true;
}

// The taps of one axis that reach output `at`: filter rows first, first + stride, ..., `count` of them, from input rows
// row, row - 1, ...
struct Taps {
  int32_t first;
  int32_t count;
  int32_t row;
};

Taps FindTaps(const Axis& axis, int32_t at) {
  const int32_t stride = axis.window.stride, place = at + axis.window.pad;
  Taps taps = {place % stride, 0, place / stride};
  // Rows past the end of the input come first.
  if (taps.row >= axis.input) {
    taps.first += (taps.row - axis.input + 1) * stride;
    taps.row = axis.input - 1;
  }
  if (taps.first < axis.window.filter) taps.count = (axis.window.filter - 1 - taps.first) / stride + 1;
  if (taps.count > taps.row + 1) taps.count = taps.row + 1;
  return taps;
}

inline void Dot(const int8_t* in, const int8_t* weights, int32_t zero_point, int32_t count, uint32_t& sum) {
  for (; count >= 4; count -= 4, in += 4, weights += 4) {
    Accumulate(sum, in[0] - zero_point, weights[0]);
    Accumulate(sum, in[1] - zero_point, weights[1]);
    Accumulate(sum, in[2] - zero_point, weights[2]);
    Accumulate(sum, in[3] - zero_point, weights[3]);
  }
  for (; count != 0; --count) Accumulate(sum, *in++ - zero_point, *weights++);
}

void EvalTransposeConv(const Eval& op) {
  const TransposeConvData& d = op.Data<TransposeConvData>();
  const OutputStage stage = d.stage;
  const int8_t* in = op.Input<int8_t>(2);
  int8_t* out = op.Output<int8_t>(0);
  const int32_t channels = d.input_channels, zero_point = d.input_zero_point;
  const int32_t row = d.x.input * channels, filter_row = d.x.window.filter * channels;
  const int32_t filter_size = d.y.window.filter * filter_row;
  const int32_t down = d.y.window.stride * filter_row, across = d.x.window.stride * channels;
  for (int32_t batch = 0; batch < d.batches; ++batch, in += d.y.input * row) {
    for (int32_t oy = 0; oy < d.y.window.input; ++oy) {
      const Taps y = FindTaps(d.y, oy);
      for (int32_t ox = 0; ox < d.x.window.input; ++ox, out += d.output_channels) {
        const Taps x = FindTaps(d.x, ox);
        for (int32_t channel = 0; channel < d.output_channels; ++channel) {
          const int8_t* weights_row = d.filter + channel * filter_size + y.first * filter_row + x.first * channels;
          const int8_t* in_row = in + y.row * row + x.row * channels;
          uint32_t sum = 0;
          for (int32_t i = 0; i < y.count; ++i, weights_row += down, in_row -= row) {
            const int8_t* weights = weights_row;
            const int8_t* pixel = in_row;
            for (int32_t k = 0; k < x.count; ++k, weights += across, pixel -= channels) {
              Dot(pixel, weights, zero_point, channels, sum);
            }
          }
          out[channel] = stage.Finish(channel, sum);
        }
      }
    }
  }
}

}  // namespace

extern const OpRegistration kOp_TRANSPOSE_CONV = {schema::kTransposeConv, "TRANSPOSE_CONV", PrepareTransposeConv,
                                                  EvalTransposeConv};

}  // namespace tinyhil
