// SPDX-License-Identifier: Apache-2.0
// The counter: SysTick at the core's clock, its 24 bits carried on by counting its interrupt.
//
// On silicon a tick is a core cycle. In QEMU with `-icount shift=0` a tick is a fixed number of instructions
// (board.yaml, targets.qemu.instructions_per_tick); writing SYST_CVR restarts the tick's own phase, so the same code
// counts the same whatever ran before. The interrupt is the only thing that runs between the marks: a dozen
// instructions in 16 million ticks.
#include "ports/cortex_m/registers.h"
#include "ports/port.h"

namespace tinyhil::port {
namespace {

constexpr uint32_t kReload = 0xFFFFFF;

volatile uint32_t wraps;

}  // namespace

extern "C" void SysTick_Handler() { wraps = wraps + 1; }

void CounterRestart() {
  Register(kSystCsr) = 0;
  Register(kIcsr) = kIcsrSysTickClear;
  wraps = 0;
  Register(kSystRvr) = kReload;
  Register(kSystCvr) = 0;  // any value writes 0
  Register(kSystCsr) = kSystCsrEnable | kSystCsrInterrupt | kSystCsrCoreClock;
}

// The counter stands at 0 for the first tick, then runs down from kReload; its interrupt comes as it reaches 0.
uint64_t CounterTicks() {
  uint32_t before;
  uint32_t value;
  do {
    before = wraps;
    value = Register(kSystCvr);
  } while (before != wraps || (Register(kIcsr) & kIcsrSysTickPending) != 0);
  return (static_cast<uint64_t>(before) << 24) | ((0u - value) & kReload);
}

}  // namespace tinyhil::port
