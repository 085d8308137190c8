// SPDX-License-Identifier: Apache-2.0
// The counter, on Cortex-M: SysTick, as bare metal has it (ports/cortex_m/counter.cc), borrowed from Zephyr for as long
// as something is measured.
//
// Between CounterAlone and CounterShared no interrupt of a peripheral is enabled, SysTick counts the core's clock, and
// its interrupt goes through a vector table of our own to counter.cc. Nothing of Zephyr runs, so the same code counts
// the same on every run. Afterwards all is as before, but that Zephyr's clock (where it is SysTick) has stood still.
//
// RAM: 64 bytes of vectors, one word for each 32 interrupts.
#include <zephyr/irq.h>
#include <zephyr/kernel.h>

#include "ports/cortex_m/counter.h"
#include "ports/cortex_m/registers.h"

extern "C" void SysTick_Handler();

namespace tinyhil::port {
namespace {

constexpr uint32_t kSystemVectors = 16;
constexpr uint32_t kInterruptWords = (CONFIG_NUM_IRQS + 31) / 32;

bool alone = false;
alignas(128) uintptr_t vectors[kSystemVectors];
uint32_t enabled[kInterruptWords];
uint32_t zephyr_vectors;
uint32_t zephyr_csr;
uint32_t zephyr_reload;
bool tick_was_due;

}  // namespace

void CounterAlone() {
  if (alone) return;
  const unsigned int key = irq_lock();
  for (uint32_t i = 0; i < kInterruptWords; ++i) {
    enabled[i] = Register(kNvicIser + 4 * i);
    Register(kNvicIcer + 4 * i) = enabled[i];
  }
  zephyr_csr = Register(kSystCsr);
  Register(kSystCsr) = 0;
  zephyr_reload = Register(kSystRvr);
  tick_was_due = (Register(kIcsr) & kIcsrSysTickPending) != 0;
  Register(kIcsr) = kIcsrSysTickClear;
  zephyr_vectors = Register(kVtor);
  const uintptr_t* now = reinterpret_cast<const uintptr_t*>(zephyr_vectors);
  for (uint32_t i = 0; i < kSystemVectors; ++i) vectors[i] = now[i];
  vectors[kSystemVectors - 1] = reinterpret_cast<uintptr_t>(SysTick_Handler);
  Register(kVtor) = reinterpret_cast<uint32_t>(vectors);
  __asm__ volatile("dsb\n\tisb" ::: "memory");
  alone = true;
  irq_unlock(key);
}

void CounterShared() {
  if (!alone) return;
  const unsigned int key = irq_lock();
  Register(kSystCsr) = 0;
  Register(kIcsr) = kIcsrSysTickClear;
  Register(kVtor) = zephyr_vectors;
  Register(kSystRvr) = zephyr_reload;
  Register(kSystCvr) = 0;
  Register(kSystCsr) = zephyr_csr & (kSystCsrCoreClock | kSystCsrInterrupt | kSystCsrEnable);
  if (tick_was_due) Register(kIcsr) = kIcsrSysTickPending;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
  for (uint32_t i = 0; i < kInterruptWords; ++i) Register(kNvicIser + 4 * i) = enabled[i];
  alone = false;
  irq_unlock(key);
}

}  // namespace tinyhil::port
