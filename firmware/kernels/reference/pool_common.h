// SPDX-License-Identifier: Apache-2.0
// What the two pooling operators share: everything but what they do with a window.
#ifndef TINYHIL_KERNELS_REFERENCE_POOL_COMMON_H_
#define TINYHIL_KERNELS_REFERENCE_POOL_COMMON_H_

#include "interpreter/kernel.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

struct PoolData {
  Window y, x;
  int32_t batches;
  int32_t channels;
  Range range;
};

// Checks all and fills `data`; takes no memory.
bool CheckPool(Prepare& op, PoolData* data);

bool PreparePool(Prepare& op);

// Calls window(first value of a channel, rows, columns) for each output and channel; the step from row to row is
// that of the image, from column to column the number of channels. A window always holds a value.
template <typename Reduce>
inline void EvalPool(const Eval& op, const Reduce& window) {
  const PoolData& d = op.Data<PoolData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  const int32_t row_bytes = d.x.input * d.channels;
  for (int32_t batch = 0; batch < d.batches; ++batch, in += d.y.input * row_bytes) {
    for (int32_t oy = 0; oy < d.y.output; ++oy) {
      const int32_t y = oy * d.y.stride - d.y.pad;
      const int32_t top = y < 0 ? 0 : y;
      const int32_t bottom = y + d.y.filter < d.y.input ? y + d.y.filter : d.y.input;
      for (int32_t ox = 0; ox < d.x.output; ++ox) {
        const int32_t x = ox * d.x.stride - d.x.pad;
        const int32_t left = x < 0 ? 0 : x;
        const int32_t right = x + d.x.filter < d.x.input ? x + d.x.filter : d.x.input;
        const int8_t* from = in + top * row_bytes + left * d.channels;
        for (int32_t c = 0; c < d.channels; ++c) {
          const int32_t value = window(from + c, bottom - top, right - left, row_bytes, d.channels);
          *out++ = static_cast<int8_t>(Clamp(value, d.range.low, d.range.high));
        }
      }
    }
  }
}

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_POOL_COMMON_H_
