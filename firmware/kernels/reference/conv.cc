// SPDX-License-Identifier: Apache-2.0
// CONV_2D, int8: per-tensor or per-channel weights, any stride, dilation, padding, grouped.
//
// Each output pixel's input window is gathered once into a row of int16 with the zero point taken off, so that
// padding is a row of zeros and the inner loop has neither bounds nor offsets. Two pixels and two channels at a
// time (dot.h).
// Scratch: 4 bytes x filter height x width x channels of a group. Persistent: 5 bytes a channel.
#include "kernels/ops.h"
#include "kernels/reference/conv_common.h"
#include "kernels/reference/dot.h"

namespace tinyhil {
namespace {

struct ConvData : ConvBase {
  int16_t* patch;  // scratch: two windows, interleaved
  int32_t group_channels;
  int32_t groups;
  int32_t patch_size;
};

bool PrepareConv(Prepare& op) {
  ConvData d;
  Tensor filter;
  Table options;
  if (!PrepareConvBase(op, kConvFields, &d, &filter, &options)) return false;
  d.group_channels = filter.dim(3);
  if (!CheckGroups(op, d, filter, &d.groups)) return false;
  d.patch_size = static_cast<int32_t>(filter.elements) / d.output_channels;
  d.patch = nullptr;
  ConvData* data = op.Data<ConvData>();
  if (data == nullptr) return false;
  *data = d;
  return op.Scratch(4 * static_cast<uint32_t>(d.patch_size), reinterpret_cast<void**>(&data->patch));
}

// `count` values less the zero point, to every other place: windows of two pixels are interleaved.
inline void Widen(const int8_t* in, int32_t count, int32_t zero_point, int16_t* out) {
  const int8_t* const end = in + count;
  while (end - in >= 4) {
    const int32_t a = in[0], b = in[1], c = in[2], d = in[3];
    out[0] = static_cast<int16_t>(a - zero_point);
    out[2] = static_cast<int16_t>(b - zero_point);
    out[4] = static_cast<int16_t>(c - zero_point);
    out[6] = static_cast<int16_t>(d - zero_point);
    in += 4;
    out += 8;
  }
  for (; in != end; out += 2) *out = static_cast<int16_t>(*in++ - zero_point);
}

inline void Clear(int32_t count, int16_t* out) {
  for (; count != 0; --count, out += 2) *out = 0;
}

// The window at output (oy, ox) of one image and group, to every other place of `out`; `in` is the group's first
// channel at row 0, column 0.
void Gather(const ConvData& d, const int8_t* in, int32_t oy, int32_t ox, int16_t* out) {
  const int32_t row_bytes = d.x.input * d.input_channels;
  const int32_t row_size = d.x.filter * d.group_channels;
  const int32_t y0 = oy * d.y.stride - d.y.pad;
  const int32_t x0 = ox * d.x.stride - d.x.pad;
  const bool whole_rows = d.x.dilation == 1 && d.groups == 1;
  // Columns of the filter that fall on the image, where they are adjacent.
  const int32_t left = x0 < 0 ? (-x0 < d.x.filter ? -x0 : d.x.filter) : 0;
  const int32_t over = x0 + d.x.filter - d.x.input;
  const int32_t right = over > 0 ? (over < d.x.filter ? over : d.x.filter) : 0;
  for (int32_t ky = 0; ky < d.y.filter; ++ky, out += 2 * row_size) {
    const int32_t y = y0 + ky * d.y.dilation;
    if (y < 0 || y >= d.y.input) {
      Clear(row_size, out);
      continue;
    }
    const int8_t* row = in + y * row_bytes;
    if (whole_rows) {
      const int32_t channels = d.input_channels;
      if (left > 0) Clear(left * channels, out);
      const int32_t inside = d.x.filter - left - right;
      if (inside > 0) {
        Widen(row + (x0 + left) * channels, inside * channels, d.input_zero_point, out + 2 * left * channels);
      }
      if (right > 0) Clear(right * channels, out + 2 * (d.x.filter - right) * channels);
      continue;
    }
    int16_t* to = out;
    for (int32_t kx = 0; kx < d.x.filter; ++kx, to += 2 * d.group_channels) {
      const int32_t x = x0 + kx * d.x.dilation;
      if (x < 0 || x >= d.x.input) {
        Clear(d.group_channels, to);
      } else {
        Widen(row + x * d.input_channels, d.group_channels, d.input_zero_point, to);
      }
    }
  }
}

// Channels [first, last) of two pixels whose windows are interleaved in d.patch.
void TwoPixels(const ConvData& d, int32_t first, int32_t last, int8_t* out0, int8_t* out1) {
  const OutputStage stage = d.stage;
  const int32_t size = d.patch_size;
  const int16_t* const patch = d.patch;
  const int8_t* weights = d.filter + first * size;
  for (int32_t channel = first; channel < last; channel += 2, weights += 2 * size) {
    // An odd last channel is computed twice, and stored once.
    const bool pair = channel + 1 < last;
    const FourSums sums = DotTwoByTwo(patch, weights, pair ? weights + size : weights, size);
    stage.FinishTwo(channel, sums.s[0], sums.s[2], out0 + channel, out1 + channel);
    if (pair) stage.FinishTwo(channel + 1, sums.s[1], sums.s[3], out0 + channel + 1, out1 + channel + 1);
  }
}

inline void Advance(const ConvData& d, int32_t* oy, int32_t* ox) {
  if (++*ox == d.x.output) {
    *ox = 0;
    ++*oy;
  }
}

void EvalConv(const Eval& op) {
  const ConvData& d = op.Data<ConvData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  const int32_t per_group = d.output_channels / d.groups;
  const int32_t pixels = d.y.output * d.x.output;
  for (int32_t batch = 0; batch < d.batches; ++batch) {
    // Pairs run on over the end of a row. An odd last pixel is computed twice, into the same place.
    for (int32_t pixel = 0, oy = 0, ox = 0; pixel < pixels; pixel += 2) {
      const int32_t oy0 = oy, ox0 = ox;
      int8_t* second = out;
      if (pixel + 1 < pixels) {
        Advance(d, &oy, &ox);
        second += d.output_channels;
      }
      for (int32_t group = 0; group < d.groups; ++group) {
        const int8_t* from = in + group * d.group_channels;
        Gather(d, from, oy0, ox0, d.patch);
        Gather(d, from, oy, ox, d.patch + 1);
        TwoPixels(d, group * per_group, (group + 1) * per_group, out, second);
      }
      Advance(d, &oy, &ox);
      out = second + d.output_channels;
    }
    in += d.y.input * d.x.input * d.input_channels;
  }
}

}  // namespace

extern const OpRegistration kOp_CONV_2D = {schema::kConv2d, "CONV_2D", PrepareConv, EvalConv};

}  // namespace tinyhil
