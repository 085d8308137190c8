// SPDX-License-Identifier: Apache-2.0
// Custom operators that go wrong on the device: one never ends, the others fault, each in its own way.
#include "interpreter/kernel.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

volatile uint32_t sink;

bool PrepareAny(Prepare& op) { return op.Expect(1, 1, 1); }

// The compiler may not know where this points.
volatile uint32_t* Somewhere(uint32_t address) {
  __asm__ volatile("" : "+r"(address));
  return reinterpret_cast<volatile uint32_t*>(address);
}

[[gnu::noinline]] void ReadNowhere() { sink = *Somewhere(0x70000000); }

[[gnu::noinline]] void ReadUnaligned() {
  uint32_t low, high;
  const uint32_t address = 0x20000001;
  __asm__ volatile("ldrd %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(address) : "memory");
  sink = low + high;
}

[[gnu::noinline]] uint32_t Deeper(uint32_t depth) {
  volatile uint8_t room[512];
  room[depth & 511] = 1;
  return depth == 0 ? 0u : Deeper(depth - 1) + room[depth & 511];
}

void EvalForever(const Eval&) {
  for (;;) sink = 1;
}
void EvalNowhere(const Eval&) { ReadNowhere(); }
void EvalUnaligned(const Eval&) { ReadUnaligned(); }
void EvalDeep(const Eval&) { sink = Deeper(1000); }
void EvalJump(const Eval&) { reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(Somewhere(0x20000100)))(); }

}  // namespace

extern const OpRegistration kOp_FOREVER = {schema::kCustom, "FOREVER", PrepareAny, EvalForever};
extern const OpRegistration kOp_NOWHERE = {schema::kCustom, "NOWHERE", PrepareAny, EvalNowhere};
extern const OpRegistration kOp_UNALIGNED = {schema::kCustom, "UNALIGNED", PrepareAny, EvalUnaligned};
extern const OpRegistration kOp_DEEP = {schema::kCustom, "DEEP", PrepareAny, EvalDeep};
extern const OpRegistration kOp_JUMP = {schema::kCustom, "JUMP", PrepareAny, EvalJump};

}  // namespace tinyhil
