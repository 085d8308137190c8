// SPDX-License-Identifier: Apache-2.0
// RESIZE_BILINEAR, int8, in integers: places with 10 fractional bits, weights with 20. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr int32_t kOne = 1 << 10;

struct Axis {
  int32_t input;
  int32_t output;
  int32_t step;   // of an output pixel
  int32_t start;  // of the first
};

struct BilinearData {
  int32_t batches;
  int32_t channels;
  Axis y, x;
};

// Two neighbours and how much of the second.
struct Between {
  int32_t first;
  int32_t second;
  int32_t weight;
};

Between Find(const Axis& axis, int32_t at) {
  const int32_t place = at * axis.step + axis.start;  // from -512 on
  const int32_t first = place < 0 ? 0 : place / kOne;
  const int32_t above = (place + kOne - 1) / kOne;
  return {first, above < axis.input - 1 ? above : axis.input - 1, place - first * kOne};
}

bool MakeAxis(Prepare& op, int32_t input, int32_t output, bool align_corners, bool half_pixel, Axis* axis) {
  const int32_t limit = 1 << 15;
  if (input >= limit || output >= limit) return op.Fail(Code::kModelUnsupported, "size", "32768 pixels and more");
  const bool between_corners = align_corners && output > 1;
  const int32_t from = between_corners ? input - 1 : input, to = between_corners ? output - 1 : output;
  const int32_t step = (kOne * from + to / 2) / to;
  *axis = {input, output, step, half_pixel ? step / 2 - kOne / 2 : 0};
  // The step is rounded, and so many of them may lead past the last pixel.
  if (Find(*axis, output - 1).first >= input) {
    return op.Fail(Code::kModelUnsupported, "size", "enlarged so much that 10 fractional bits do not tell the pixels",
                   static_cast<uint32_t>(output), static_cast<uint32_t>(input));
  }
  return true;
}

bool PrepareBilinear(Prepare& op) {
  Tensor input, output, size;
  Table options;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Input(1, &size) || !op.Output(0, &output) ||
      !ExpectRank(op, input, "inputs[0]", 4) || !ExpectRank(op, output, "outputs[0]", 4) ||
      !op.Options(schema::kResizeBilinearOptions, &options)) {
    return false;
  }
  if (input.type != TensorType::kInt8 || output.type != TensorType::kInt8) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "must be int8", static_cast<uint32_t>(input.type),
                   static_cast<uint32_t>(TensorType::kInt8));
  }
  if (size.type != TensorType::kInt32 || !size.constant() || size.elements != 2) {
    return op.Fail(Code::kModelUnsupported, "size", "must be a constant of two int32");
  }
  const bool align_corners = options.U8(schema::kBilinearAlignCorners, "align_corners", 0) != 0;
  const bool half_pixel = options.U8(schema::kBilinearHalfPixel, "half_pixel_centers", 0) != 0;
  if (!op.ok()) return false;
  if (align_corners && half_pixel) {
    return op.Fail(Code::kModelMalformed, "half_pixel_centers", "not together with align_corners");
  }
  const int32_t* wanted = static_cast<const int32_t*>(size.data);
  BilinearData* data = op.Data<BilinearData>();
  if (data == nullptr) return false;
  data->batches = input.dim(0);
  data->channels = input.dim(3);
  return ExpectDim(op, "outputs[0]", output.dim(0), input.dim(0)) &&
         ExpectDim(op, "outputs[0]", output.dim(1), wanted[0]) &&
         ExpectDim(op, "outputs[0]", output.dim(2), wanted[1]) &&
         ExpectDim(op, "outputs[0]", output.dim(3), input.dim(3)) &&
         MakeAxis(op, input.dim(1), output.dim(1), align_corners, half_pixel, &data->y) &&
         MakeAxis(op, input.dim(2), output.dim(2), align_corners, half_pixel, &data->x);
}

// The four weights add up to 2^20 and none is above 1.6 times that, so a sum of four products fits 32 bits.
inline int8_t Mix(int32_t sum) { return static_cast<int8_t>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20)); }

void EvalBilinear(const Eval& op) {
  const BilinearData& d = op.Data<BilinearData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  const int32_t channels = d.channels, row = d.x.input * channels;
  for (int32_t batch = 0; batch < d.batches; ++batch, in += d.y.input * row) {
    for (int32_t oy = 0; oy < d.y.output; ++oy) {
      const Between y = Find(d.y, oy);
      const int8_t* upper = in + y.first * row;
      const int8_t* lower = in + y.second * row;
      for (int32_t ox = 0; ox < d.x.output; ++ox) {
        const Between x = Find(d.x, ox);
        const int32_t w00 = (kOne - y.weight) * (kOne - x.weight), w01 = (kOne - y.weight) * x.weight;
        const int32_t w10 = y.weight * (kOne - x.weight), w11 = y.weight * x.weight;
        const int8_t *a = upper + x.first * channels, *b = upper + x.second * channels;
        const int8_t *c = lower + x.first * channels, *e = lower + x.second * channels;
        for (int32_t k = 0; k < channels; ++k) *out++ = Mix(a[k] * w00 + b[k] * w01 + c[k] * w10 + e[k] * w11);
      }
    }
  }
}

}  // namespace

extern const OpRegistration kOp_RESIZE_BILINEAR = {schema::kResizeBilinear, "RESIZE_BILINEAR", PrepareBilinear,
                                                   EvalBilinear};

}  // namespace tinyhil
