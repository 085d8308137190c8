// SPDX-License-Identifier: Apache-2.0
// Where each buffer of the arena lies, so that buffers whose lifetimes overlap do not share a byte.
//
// Greedy by size: the largest buffer first, each at the lowest address that is free throughout its lifetime.
// Within a few per cent of the optimum on the networks that run on microcontrollers.
// Cost: n^2 comparisons for n buffers, no memory beyond 4 bytes a buffer.
#ifndef TINYHIL_INTERPRETER_PLANNER_H_
#define TINYHIL_INTERPRETER_PLANNER_H_

#include <stdint.h>

#include "interpreter/kernel.h"

namespace tinyhil {

constexpr uint32_t kBufferAlignment = 16;

// Fills offsets[0..count) and returns the bytes that all of it takes. Reorders `buffers`; offsets follow
// the new order.
uint32_t PlanBuffers(LoadArena::Buffer* buffers, uint32_t count, uint32_t* offsets);

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_PLANNER_H_
