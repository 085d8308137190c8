// SPDX-License-Identifier: Apache-2.0
// RESIZE_NEAREST_NEIGHBOR, int8, int16 and float32. Scratch: 4 bytes a column of the output.
//
// Where a pixel comes from is float arithmetic, once a row and once a column: the columns' places are worked out at the
// start of each Eval. Rows that come from the same row are copied from the one before.
#include "kernels/ops.h"
#include "kernels/reference/move_common.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

struct Axis {
  int32_t input;
  int32_t output;
  float scale;  // input pixels an output pixel
};

struct NearestData {
  int32_t batches;
  Axis y, x;
  bool align_corners;
  bool half_pixel;
  uint32_t pixel_bytes;
  uint32_t* columns;  // scratch: bytes into a row
};

Axis MakeAxis(int32_t input, int32_t output, bool align_corners) {
  const bool between_corners = align_corners && output > 1;
  const int32_t from = between_corners ? input - 1 : input, to = between_corners ? output - 1 : output;
  return {input, output, static_cast<float>(from) / static_cast<float>(to)};
}

bool PrepareNearest(Prepare& op) {
  Tensor input, output;
  Table options;
  const int32_t* size;
  if (!op.Expect(2, 2, 1) || !op.Input(0, &input) || !op.Output(0, &output) ||
      !ExpectTypes(op, input, output, Types(TensorType::kInt8, TensorType::kInt16, TensorType::kFloat32)) ||
      !ExpectRank(op, input, "inputs[0]", 4) || !ExpectRank(op, output, "outputs[0]", 4) ||
      !ReadInts(op, 1, "size", 2, &size) || !op.Options(schema::kResizeNearestNeighborOptions, &options)) {
    return false;
  }
  const bool align_corners = options.U8(schema::kNearestAlignCorners, "align_corners", 0) != 0;
  const bool half_pixel = options.U8(schema::kNearestHalfPixel, "half_pixel_centers", 0) != 0;
  if (!op.ok()) return false;
  const int32_t limit = 1 << 15;
  for (uint32_t i = 1; i < 3; ++i) {
    if (!ExpectDim(op, "outputs[0]", output.dim(i), size[i - 1])) return false;
    if (input.dim(i) >= limit || output.dim(i) >= limit) {
      return op.Fail(Code::kModelUnsupported, "size", "32768 pixels and more");
    }
  }
  if (!ExpectDim(op, "outputs[0]", output.dim(0), input.dim(0)) ||
      !ExpectDim(op, "outputs[0]", output.dim(3), input.dim(3))) {
    return false;
  }
  NearestData* data = op.Data<NearestData>();
  if (data == nullptr) return false;
  *data = {input.dim(0),
           MakeAxis(input.dim(1), output.dim(1), align_corners),
           MakeAxis(input.dim(2), output.dim(2), align_corners),
           align_corners,
           half_pixel,
           static_cast<uint32_t>(input.dim(3)) * BytesOf(input.type),
           nullptr};
  return op.Scratch(4 * static_cast<uint32_t>(output.dim(2)), reinterpret_cast<void**>(&data->columns));
}

uint32_t Nearest(const NearestData& d, const Axis& axis, int32_t at) {
  const float place = (static_cast<float>(at) + (d.half_pixel ? 0.5f : 0.0f)) * axis.scale;
  const int32_t pixel = d.align_corners ? RoundToInt(place) : static_cast<int32_t>(place);  // never below 0
  return static_cast<uint32_t>(pixel < axis.input - 1 ? pixel : axis.input - 1);
}

void EvalNearest(const Eval& op) {
  const NearestData& d = op.Data<NearestData>();
  const uint8_t* in = op.Input<uint8_t>(0);
  uint8_t* out = op.Output<uint8_t>(0);
  const uint32_t pixel = d.pixel_bytes;
  const uint32_t row_bytes = static_cast<uint32_t>(d.x.input) * pixel;
  const uint32_t out_row_bytes = static_cast<uint32_t>(d.x.output) * pixel;
  for (int32_t x = 0; x < d.x.output; ++x) d.columns[x] = Nearest(d, d.x, x) * pixel;
  for (int32_t batch = 0; batch < d.batches; ++batch, in += static_cast<uint32_t>(d.y.input) * row_bytes) {
    uint32_t last = UINT32_MAX;
    for (int32_t y = 0; y < d.y.output; ++y) {
      const uint32_t from = Nearest(d, d.y, y);
      if (from == last) {
        __builtin_memcpy(out, out - out_row_bytes, out_row_bytes);
        out += out_row_bytes;
        continue;
      }
      last = from;
      const uint8_t* row = in + from * row_bytes;
      for (int32_t x = 0; x < d.x.output; ++x, out += pixel) CopyBytes(out, row + d.columns[x], pixel);
    }
  }
}

}  // namespace

extern const OpRegistration kOp_RESIZE_NEAREST_NEIGHBOR = {schema::kResizeNearestNeighbor, "RESIZE_NEAREST_NEIGHBOR",
                                                           PrepareNearest, EvalNearest};

}  // namespace tinyhil
