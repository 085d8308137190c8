// SPDX-License-Identifier: Apache-2.0
// The counter, from Zephyr's timing functions: the cycle counter of the DWT on most Cortex-M, what the chip has
// elsewhere. Between the marks interrupts are locked, so that nothing else runs; SysTick stays Zephyr's.
//
// On Cortex-M what is read has 32 bits: an inference of 2^32 cycles and more (67 s at 64 MHz) is measured as what is
// left of them. SysTick's counter (alone.cc) has no such limit.
#include <zephyr/irq.h>
#include <zephyr/kernel.h>
#include <zephyr/timing/timing.h>

#include "ports/cortex_m/counter.h"
#include "ports/port.h"

namespace tinyhil::port {
namespace {

bool alone = false;
unsigned int key;
timing_t start;
uint64_t cost_cycles;  // of an empty stretch of code

uint64_t CyclesTo(timing_t end) {
  const uint64_t cycles = timing_cycles_get(&start, &end);
  return IS_ENABLED(CONFIG_CPU_CORTEX_M) ? static_cast<uint32_t>(cycles) : cycles;
}

}  // namespace

// noipa: as in cortex_m/counter.cc.
__attribute__((noipa)) void CounterRestart() {
  if (!alone) key = irq_lock();
  alone = true;
  start = timing_counter_get();
}

uint64_t CounterTicks() { return CyclesTo(timing_counter_get()); }

__attribute__((noipa)) uint64_t CounterMilliticks() {
  const uint64_t cycles = CyclesTo(timing_counter_get());
  CounterRelease();
  return cycles > cost_cycles ? (cycles - cost_cycles) * 1000 : 0;
}

void CounterRelease() {
  if (!alone) return;
  alone = false;
  irq_unlock(key);
}

void CounterInit() {
  timing_init();
  timing_start();
  cost_cycles = 0;
  CounterRestart();
  cost_cycles = CounterMilliticks() / 1000;
}

uint32_t CounterHz() { return static_cast<uint32_t>(timing_freq_get()); }

}  // namespace tinyhil::port
