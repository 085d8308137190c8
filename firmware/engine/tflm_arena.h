// SPDX-License-Identifier: Apache-2.0
// TFLite Micro's arena, but that it notices when it is full.
//
// Its own does not look at what is in use for a moment where something lasting is taken, and counts the bytes between
// the two as if there were some where rounding left fewer than none: in an arena that is a little too small, what an
// operator prepares with is overwritten, and the memory planner writes outside. Here that ends the load with the bytes
// that are missing. An arena that is large enough is used byte for byte as TFLite Micro's own would use it.
//
// RAM: all in the arena, as much as TFLite Micro's takes there.
#ifndef TINYHIL_ENGINE_TFLM_ARENA_H_
#define TINYHIL_ENGINE_TFLM_ARENA_H_

#include <stdint.h>

#include "tensorflow/lite/micro/micro_allocator.h"

namespace tinyhil {

// What an interpreter takes its memory from. Ends the load (TflmLogStart) where the arena cannot hold even this.
tflite::MicroAllocator* TflmArena(uint8_t* arena, uint32_t bytes);

}  // namespace tinyhil

#endif  // TINYHIL_ENGINE_TFLM_ARENA_H_
