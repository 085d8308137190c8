// SPDX-License-Identifier: Apache-2.0
#include "kernels/cmsis_nn/common.h"

namespace tinyhil {

cmsis_nn_dims DimsOf(const Tensor& tensor) { return {tensor.dim(0), tensor.dim(1), tensor.dim(2), tensor.dim(3)}; }

bool MakeChannelMultipliers(Prepare& op, const Tensor& input, const Tensor& filter, const Tensor& output,
                            uint32_t channels, cmsis_nn_per_channel_quant_params* multipliers) {
  multipliers->multiplier = op.Persistent<int32_t>(channels);
  multipliers->shift = op.Persistent<int32_t>(channels);
  if (multipliers->multiplier == nullptr || multipliers->shift == nullptr) return false;
  const bool per_channel = filter.scale_count > 1;
  Multiplier multiplier = {0, 0};
  for (uint32_t i = 0; i < channels; ++i) {
    if (i == 0 || per_channel) {
      multiplier = MakeMultiplier(input.scale(), filter.scales[i], output.scale());
      if (!ExpectShift(op, multiplier)) return false;
    }
    multipliers->multiplier[i] = multiplier.value;
    multipliers->shift[i] = multiplier.shift;
  }
  return true;
}

bool BiasOrZeros(Prepare& op, uint32_t channels, const int32_t** bias) {
  if (*bias == nullptr) *bias = op.Persistent<int32_t>(channels);
  return *bias != nullptr;
}

bool OneRowIsExact(const Window& x) {
  const int32_t total_pad = (x.output - 1) * x.stride + x.filter - x.input;
  if (total_pad < 0 || x.filter > x.input) return false;
  const int32_t right = total_pad - x.pad;
  const int32_t windows = (right + x.stride - 1) / x.stride;
  const bool even = right == x.pad;
  return right == 0 || (right == 1 + (windows - 1) * x.stride && (even || right == windows));
}

bool ScratchContext(Prepare& op, int32_t bytes, cmsis_nn_context* context) {
  *context = {nullptr, bytes};
  return bytes <= 0 || op.Scratch(static_cast<uint32_t>(bytes), &context->buf);
}

}  // namespace tinyhil
