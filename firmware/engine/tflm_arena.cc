// SPDX-License-Identifier: Apache-2.0
#include "engine/tflm_arena.h"

#include <stddef.h>

#include <new>

#include "engine/tflm_log.h"
#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_helpers.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"

namespace tinyhil {
namespace {

class Arena final : public tflite::SingleArenaBufferAllocator {
 public:
  using SingleArenaBufferAllocator::SingleArenaBufferAllocator;

  uint8_t* AllocatePersistentBuffer(size_t size, size_t alignment) override {
    Need(Low(), Address(tflite::AlignPointerDown(tail() - size, alignment)));
    return SingleArenaBufferAllocator::AllocatePersistentBuffer(size, alignment);
  }

  uint8_t* AllocateTemp(size_t size, size_t alignment) override {
    Need(Aligned(Low(), alignment) + size, Address(tail()));
    return SingleArenaBufferAllocator::AllocateTemp(size, alignment);
  }

  TfLiteStatus ResizeBuffer(uint8_t* buffer, size_t size, size_t alignment) override {
    Need(Aligned(Address(GetOverlayMemoryAddress()), alignment) + size, Address(tail()));
    return SingleArenaBufferAllocator::ResizeBuffer(buffer, size, alignment);
  }

  size_t GetAvailableMemory(size_t alignment) const override {
    Need(Aligned(Low(), alignment), Address(tflite::AlignPointerDown(tail(), alignment)));
    return SingleArenaBufferAllocator::GetAvailableMemory(alignment);
  }

  TF_LITE_REMOVE_VIRTUAL_DELETE

 private:
  static uintptr_t Address(const uint8_t* at) { return reinterpret_cast<uintptr_t>(at); }
  static uintptr_t Aligned(uintptr_t at, size_t alignment) { return (at + alignment - 1) / alignment * alignment; }

  // Where what grows upwards ends: what was planned, or what is in use for a moment.
  uintptr_t Low() const { return Address(GetOverlayMemoryAddress()) + GetNonPersistentUsedBytes(); }

  // Does not come back where the one would lie above the other.
  static void Need(uintptr_t end, uintptr_t start) {
    if (end > start) TflmLogFull(static_cast<uint32_t>(end - start));
  }
};

}  // namespace

tflite::MicroAllocator* TflmArena(uint8_t* arena, uint32_t bytes) {
  Arena first(arena, bytes);
  void* room = first.AllocatePersistentBuffer(sizeof(Arena), alignof(Arena));
  Arena* all = new (room) Arena(first);  // itself in the arena, as TFLite Micro has it
  using Planner = tflite::GreedyMemoryPlanner;
  Planner* planner = new (all->AllocatePersistentBuffer(sizeof(Planner), alignof(Planner))) Planner;
  return tflite::MicroAllocator::Create(all, planner);
}

}  // namespace tinyhil
