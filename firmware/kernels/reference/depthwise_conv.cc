// SPDX-License-Identifier: Apache-2.0
// DEPTHWISE_CONV_2D, int8: per-tensor or per-channel weights, any stride, dilation, padding, depth multiplier.
//
// Four channels at a time walk the taps of the filter that fall on the image: a tap costs eight loads, four offsets and
// four products. No scratch. Persistent: 5 bytes a channel.
#include "kernels/ops.h"
#include "kernels/reference/conv_common.h"
#include "kernels/reference/dot.h"

namespace tinyhil {
namespace {

struct DepthwiseData : ConvBase {
  int32_t depth_multiplier;
};

bool PrepareDepthwise(Prepare& op) {
  DepthwiseData d;
  Tensor filter;
  Table options;
  if (!PrepareConvBase(op, kDepthwiseFields, &d, &filter, &options)) return false;
  if (!ExpectDim(op, "filter", filter.dim(0), 1)) return false;
  const int32_t multiplier = options.I32(schema::kDepthwiseMultiplier, "depth_multiplier", 0);
  d.depth_multiplier = d.output_channels / d.input_channels;
  if (d.depth_multiplier * d.input_channels != d.output_channels) {
    return op.Fail(Code::kModelMalformed, "filter", "its channels are no multiple of the input's",
                   static_cast<uint32_t>(d.output_channels), static_cast<uint32_t>(d.input_channels));
  }
  if (!op.ok() || !ExpectDim(op, "depth_multiplier", multiplier, d.depth_multiplier)) return false;
  DepthwiseData* data = op.Data<DepthwiseData>();
  if (data == nullptr) return false;
  *data = d;
  return true;
}

// The taps [first, end) of a window that starts at `origin` and fall on the image.
struct Taps {
  int32_t first;
  int32_t end;
};

inline Taps OnImage(const Window& w, int32_t origin) {
  Taps taps = {0, w.filter};
  if (origin < 0) taps.first = (-origin + w.dilation - 1) / w.dilation;
  if (origin + (w.filter - 1) * w.dilation >= w.input) taps.end = (w.input - origin + w.dilation - 1) / w.dilation;
  if (taps.first > taps.end) taps.first = taps.end;
  return taps;
}

struct Pixel {
  const int8_t* in;                                      // first channel of the first tap
  const int8_t* filter;                                  // the same
  int32_t rows, columns;                                 // of taps
  int32_t in_row, in_column, filter_row, filter_column;  // steps, in bytes
};

inline void FourChannels(const OutputStage& stage, int32_t zero_point, const Pixel& p, int32_t channel, int8_t* out) {
  uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const int8_t* in_row = p.in + channel;
  const int8_t* filter_row = p.filter + channel;
  const int32_t in_step = p.in_column, filter_step = p.filter_column;
  for (int32_t ky = p.rows; ky != 0; --ky) {
    const int8_t* i = in_row;
    const int8_t* w = filter_row;
    for (int32_t kx = p.columns; kx != 0; --kx) {
      Accumulate(s0, i[0] - zero_point, w[0]);
      Accumulate(s1, i[1] - zero_point, w[1]);
      Accumulate(s2, i[2] - zero_point, w[2]);
      Accumulate(s3, i[3] - zero_point, w[3]);
      i += in_step;
      w += filter_step;
    }
    in_row += p.in_row;
    filter_row += p.filter_row;
  }
  out[channel] = stage.Finish(channel, s0);
  out[channel + 1] = stage.Finish(channel + 1, s1);
  out[channel + 2] = stage.Finish(channel + 2, s2);
  out[channel + 3] = stage.Finish(channel + 3, s3);
}

void OneChannel(const OutputStage& stage, int32_t zero_point, const Pixel& p, int32_t in_channel, int32_t channel,
                int8_t* out) {
  uint32_t sum = 0;
  for (int32_t ky = 0; ky < p.rows; ++ky) {
    const int8_t* i = p.in + ky * p.in_row + in_channel;
    const int8_t* w = p.filter + ky * p.filter_row + channel;
    for (int32_t kx = p.columns; kx != 0; --kx) {
      Accumulate(sum, *i - zero_point, *w);
      i += p.in_column;
      w += p.filter_column;
    }
  }
  out[channel] = stage.Finish(channel, sum);
}

void EvalDepthwise(const Eval& op) {
  const DepthwiseData& d = op.Data<DepthwiseData>();
  const OutputStage stage = d.stage;
  const int32_t zero_point = d.input_zero_point;
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  const int32_t row_bytes = d.x.input * d.input_channels;
  Pixel p;
  p.in_row = d.y.dilation * row_bytes;
  p.in_column = d.x.dilation * d.input_channels;
  p.filter_row = d.x.filter * d.output_channels;
  p.filter_column = d.output_channels;
  for (int32_t batch = 0; batch < d.batches; ++batch) {
    for (int32_t oy = 0; oy < d.y.output; ++oy) {
      const int32_t y = oy * d.y.stride - d.y.pad;
      const Taps rows = OnImage(d.y, y);
      p.rows = rows.end - rows.first;
      for (int32_t ox = 0; ox < d.x.output; ++ox, out += d.output_channels) {
        const int32_t x = ox * d.x.stride - d.x.pad;
        const Taps columns = OnImage(d.x, x);
        p.columns = columns.end - columns.first;
        p.in = in + (y + rows.first * d.y.dilation) * row_bytes + (x + columns.first * d.x.dilation) * d.input_channels;
        p.filter = d.filter + rows.first * p.filter_row + columns.first * p.filter_column;
        if (d.depth_multiplier == 1) {
          int32_t channel = 0;
          for (; channel + 4 <= d.output_channels; channel += 4) FourChannels(stage, zero_point, p, channel, out);
          for (; channel < d.output_channels; ++channel) OneChannel(stage, zero_point, p, channel, channel, out);
        } else {
          for (int32_t channel = 0, c = 0; c < d.input_channels; ++c) {
            for (int32_t m = 0; m < d.depth_multiplier; ++m, ++channel)
              OneChannel(stage, zero_point, p, c, channel, out);
          }
        }
      }
    }
    in += d.y.input * row_bytes;
  }
}

}  // namespace

extern const OpRegistration kOp_DEPTHWISE_CONV_2D = {schema::kDepthwiseConv2d, "DEPTHWISE_CONV_2D", PrepareDepthwise,
                                                     EvalDepthwise};

}  // namespace tinyhil
