// SPDX-License-Identifier: Apache-2.0
// The counter: SysTick at the core's clock, its 24 bits carried on by counting its interrupt.
//
// On silicon a tick is a core cycle. In QEMU with `-icount shift=0` a tick is a fixed number of instructions
// (board.yaml, targets.qemu.instructions_per_tick); writing SYST_CVR restarts the tick's own phase, so the same code
// counts the same whatever ran before. The interrupt is the only thing that runs between the marks: five
// instructions in 16 million ticks.
//
// Between two ticks. Where a tick is P instructions, one reading of the counter x instructions after its restart gives
// floor(x / P). Readings L instructions apart differ in where they meet the tick, and if L has no divisor in common
// with P, then over n readings, n a multiple of P, every phase is met equally often (Hermite's identity):
//
//   floor(x / P) + floor((x + L) / P) + ... + floor((x + (n-1) L) / P) = n/P x + a constant
//
// So the sum grows by exactly n/P with every instruction, and n thousandths of a tick are exact without knowing P. That
// holds for n = 1000 and L = 7 with every P whose numerator divides 1000: 40 (25 MHz), 50 (20 MHz), 125/4 (32 MHz),
// 125/2 (16 MHz). The constant is measured once and subtracted.
#include "ports/cortex_m/counter.h"

#include "ports/cortex_m/registers.h"
#include "ports/port.h"

namespace tinyhil::port {
namespace {

constexpr uint32_t kReload = 0xFFFFFF;
constexpr uint32_t kReadings = 1000;

volatile uint32_t wraps;
uint64_t cost_milliticks;  // of an empty stretch of code

}  // namespace

extern "C" void SysTick_Handler() { wraps = wraps + 1; }

// noipa: callers in this file must reach these two as all others do, or the cost they measure is another.
__attribute__((noipa)) void CounterRestart() {
  CounterAlone();
  Register(kSystCsr) = 0;
  Register(kIcsr) = kIcsrSysTickClear;
  wraps = 0;
  Register(kSystRvr) = kReload;
  [[maybe_unused]] const uint32_t now = Register(kSystCvr);  // Renode brings its clock up to date on a read alone
  Register(kSystCvr) = 0;                                    // any value writes 0
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

__attribute__((noipa)) uint64_t CounterMilliticks() {
  uint32_t first;
  uint32_t sum = 0;  // of the ticks from the first reading to each
  uint32_t left = kReadings;
  uint32_t value;
  // Seven instructions a turn, from ARMv6-M on the same. No interrupt may come between them.
  __asm volatile(
      "  .syntax unified\n"
      "  cpsid i\n"
      "  ldr   %[first], [%[counter]]\n"
      "1:\n"
      "  ldr   %[value], [%[counter]]\n"
      "  subs  %[value], %[first], %[value]\n"
      "  lsls  %[value], %[value], #8\n"
      "  lsrs  %[value], %[value], #8\n"
      "  adds  %[sum], %[sum], %[value]\n"
      "  subs  %[left], %[left], #1\n"
      "  bne   1b\n"
      : [first] "=&l"(first), [value] "=&l"(value), [sum] "+l"(sum), [left] "+l"(left)
      : [counter] "l"(kSystCvr)
      : "cc", "memory");
  const bool wrapped = (Register(kIcsr) & kIcsrSysTickPending) != 0;
  uint32_t whole_wraps = wraps;
  __asm volatile("cpsie i" ::: "memory");
  CounterShared();
  const uint32_t ticks = (0u - first) & kReload;
  // A wrap that its interrupt has not counted yet came before the first reading, unless that was just short of it.
  if (wrapped && ticks <= kReload / 2) ++whole_wraps;
  const uint64_t milliticks = ((static_cast<uint64_t>(whole_wraps) << 24) | ticks) * kReadings + sum;
  return milliticks > cost_milliticks ? milliticks - cost_milliticks : 0;
}

void CounterRelease() { CounterShared(); }

void CounterInit() {
  cost_milliticks = 0;
  CounterRestart();
  cost_milliticks = CounterMilliticks();
  CounterRestart();
}

}  // namespace tinyhil::port
