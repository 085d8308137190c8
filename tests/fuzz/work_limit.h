// SPDX-License-Identifier: Apache-2.0
// Bounds the work of one input. A model of a few hundred bytes may share one constant between its operators and ask for
// more multiplications than a fuzzer has seconds; none of them can reach memory that a small one cannot.
#ifndef TINYHIL_TESTS_FUZZ_WORK_LIMIT_H_
#define TINYHIL_TESTS_FUZZ_WORK_LIMIT_H_

#include "engine/engine.h"

// Operators times the bytes that they write: every byte takes at most some thousand steps, those of a filter.
inline bool LittleWork(const tinyhil::Engine& engine) {
  uint32_t written = 0;
  for (uint32_t op = 0; op < engine.OpCount() && written < 1u << 14; ++op) {
    tinyhil::Bytes bytes;
    for (uint32_t k = 0; engine.OpTensor(op, tinyhil::Access::kWritten, k, &bytes); ++k) written += bytes.size;
  }
  return written < 1u << 14;
}

#endif  // TINYHIL_TESTS_FUZZ_WORK_LIMIT_H_
