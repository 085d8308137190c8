// SPDX-License-Identifier: Apache-2.0
// What TFLite Micro says of a model that it refuses.
//
// It reports failures as text, to a log. This log keeps the first words since TflmLogStart, and leaves Load at once
// when TFLite Micro says that its arena is full: operators do not check every allocation, and would write to address 0.
#ifndef TINYHIL_ENGINE_TFLM_LOG_H_
#define TINYHIL_ENGINE_TFLM_LOG_H_

#include <setjmp.h>
#include <stdint.h>

namespace tinyhil {

struct TflmLog {
  char words[200];         // as many as fit, on one line, null-terminated
  uint32_t missing_bytes;  // of the allocation that failed; 0: none did
  jmp_buf* out_of_memory;  // where to go when the arena is full; null: nowhere
};

extern TflmLog tflm_log;

void TflmLogStart(jmp_buf* out_of_memory);

// The arena lacks so many bytes: notes them, and leaves Load where it runs.
void TflmLogFull(uint32_t missing_bytes);

}  // namespace tinyhil

#endif  // TINYHIL_ENGINE_TFLM_LOG_H_
