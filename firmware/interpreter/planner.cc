// SPDX-License-Identifier: Apache-2.0
#include "interpreter/planner.h"

namespace tinyhil {
namespace {

using Buffer = LoadArena::Buffer;

uint32_t Align(uint32_t bytes) { return (bytes + kBufferAlignment - 1) & ~(kBufferAlignment - 1); }

// Insertion sort, largest first; equal sizes keep the order of the model.
void SortBySize(Buffer* buffers, uint32_t count) {
  for (uint32_t i = 1; i < count; ++i) {
    const Buffer moving = buffers[i];
    uint32_t at = i;
    for (; at > 0 && buffers[at - 1].bytes < moving.bytes; --at) buffers[at] = buffers[at - 1];
    buffers[at] = moving;
  }
}

bool Coexist(const Buffer& a, const Buffer& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

uint32_t PlanBuffers(Buffer* buffers, uint32_t count, uint32_t* offsets) {
  SortBySize(buffers, count);
  uint32_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t bytes = Align(buffers[i].bytes);
    uint32_t offset = 0;
    // Move past whatever is in the way until nothing is.
    for (uint32_t k = 0; k < i;) {
      const uint32_t end = offsets[k] + Align(buffers[k].bytes);
      if (Coexist(buffers[i], buffers[k]) && offset < end && offsets[k] < offset + bytes) {
        offset = end;
        k = 0;
      } else {
        ++k;
      }
    }
    offsets[i] = offset;
    if (offset + bytes > total) total = offset + bytes;
  }
  return total;
}

}  // namespace tinyhil
