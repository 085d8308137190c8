// SPDX-License-Identifier: Apache-2.0
// One input is one model: read, prepared, planned into an arena of 48 KiB and run twice, its state kept and put back.
// All that the engine says of tensors is read and written, so that the address sanitizer judges it.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "engine/engine.h"
#include "work_limit.h"

using namespace tinyhil;

namespace {

constexpr uint32_t kArenaBytes = 48 << 10;

uint32_t Sum(const void* data, uint32_t bytes) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < bytes; ++i) sum = sum * 31 + static_cast<const uint8_t*>(data)[i];
  return sum;
}

class Reads final : public OpHook {
 public:
  void Begin(uint32_t op) override { Touch(op, Access::kRead); }
  void End(uint32_t op) override { Touch(op, Access::kWritten); }
  uint32_t sum = 0;

 private:
  void Touch(uint32_t op, Access access) {
    Bytes bytes;
    for (uint32_t k = 0; TheEngine().OpTensor(op, access, k, &bytes); ++k) sum += Sum(bytes.data, bytes.size);
  }
};

volatile uint32_t sink;

void Run(Engine& engine, OpHook* hook, uint8_t salt) {
  for (uint32_t i = 0; i < engine.InputCount(); ++i) {
    const TensorInfo info = engine.Input(i);
    uint8_t* data = static_cast<uint8_t*>(info.data);
    for (uint32_t k = 0; k < info.bytes; ++k) data[k] = static_cast<uint8_t>(k * 37 + salt);
  }
  engine.Invoke(hook);
  for (uint32_t i = 0; i < engine.OutputCount(); ++i) {
    const TensorInfo info = engine.Output(i);
    sink = sink + Sum(info.data, info.bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static uint8_t* arena = static_cast<uint8_t*>(aligned_alloc(16, kArenaBytes));
  // An allocation of its own: exactly so long, and aligned as the engine wants it.
  uint8_t* model = static_cast<uint8_t*>(malloc(size == 0 ? 1 : size));
  if (size != 0) memcpy(model, data, size);
  memset(arena, 0xA5, kArenaBytes);
  Engine& engine = TheEngine();
  const Error error = engine.Load(model, static_cast<uint32_t>(size), arena, kArenaBytes);
  if (error.depth > Error::kMaxDepth || error.ok() != engine.Loaded()) abort();
  if (error.ok() && LittleWork(engine)) {
    if (engine.ArenaUsed() > kArenaBytes) abort();
    Reads reads;
    Run(engine, &reads, 1);
    Run(engine, nullptr, 2);
    engine.ResetState();
    sink = sink + reads.sum;
  }
  free(model);
  return 0;
}
