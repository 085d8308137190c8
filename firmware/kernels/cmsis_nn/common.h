// SPDX-License-Identifier: Apache-2.0
// What the kernels that call CMSIS-NN share. Only Prepare uses it, but for Count.
//
// The data of each operator begins with `runs`: how often CMSIS-NN computed it and said so.
#ifndef TINYHIL_KERNELS_CMSIS_NN_COMMON_H_
#define TINYHIL_KERNELS_CMSIS_NN_COMMON_H_

#include <arm_nnfunctions.h>
#include <stdint.h>

#include "interpreter/kernel.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {

// A run counts only where the library reports success: it refuses a case that Prepare should not have given it.
inline void Count(uint32_t& runs, arm_cmsis_nn_status status) {
  if (status == ARM_CMSIS_NN_SUCCESS) ++runs;
}

// The dimensions of a tensor of rank 4.
cmsis_nn_dims DimsOf(const Tensor& tensor);

// Multiplier and shift for each of `channels` channels in persistent memory: input * filter[channel] / output. A filter
// with one scale has it repeated.
bool MakeChannelMultipliers(Prepare& op, const Tensor& input, const Tensor& filter, const Tensor& output,
                            uint32_t channels, cmsis_nn_per_channel_quant_params* multipliers);

// A bias of zeros where there is none: past its first group of channels (or with MVE the first 124 of a depthwise one)
// the library adds to the address of the bias before it looks whether there is one.
bool BiasOrZeros(Prepare& op, uint32_t channels, const int32_t** bias);

// Whether arm_convolve_1_x_n_s8, which the wrappers choose where image and filter are one row high, is exact along this
// axis. With MVE it takes a window that hangs over the right edge to do so by one column, or by one more than the
// strides between it and the last; and an image that the windows leave a rest of for one that is padded.
bool OneRowIsExact(const Window& x);

// Asks for what one of the library's *_get_buffer_size said; `context` must lie in the operator's data. 0 bytes: none.
bool ScratchContext(Prepare& op, int32_t bytes, cmsis_nn_context* context);

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_CMSIS_NN_COMMON_H_
