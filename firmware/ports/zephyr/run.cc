// SPDX-License-Identifier: Apache-2.0
// From Zephyr into the application: a thread of its own in test mode, or whichever thread calls tinyhil_run.
#include <zephyr/kernel.h>

#include "ports/port.h"
#include "ports/zephyr/zephyr_port.h"
#include "tinyhil/tinyhil.h"

#ifndef CONFIG_TINYHIL_COUNTER_NONE
#include "ports/cortex_m/counter.h"
#endif

namespace tinyhil::port {
namespace {

k_thread* command_loop = nullptr;

}  // namespace

k_thread* CommandLoop() { return command_loop; }

void Init() {
  command_loop = k_current_get();
  StackOfThisThread();
  UartInit();
#ifndef CONFIG_TINYHIL_COUNTER_NONE
  CounterInit();
  CounterRelease();
#endif
}

#if defined(CONFIG_TINYHIL_COUNTER_SYSTICK) && defined(CONFIG_CORTEX_M_SYSTICK)
uint32_t CounterHz() { return CONFIG_SYS_CLOCK_HW_CYCLES_PER_SEC; }  // Zephyr's clock is the same counter
#endif

#ifdef CONFIG_TINYHIL_COUNTER_NONE
void CounterRestart() {}
uint64_t CounterTicks() { return 0; }
uint64_t CounterMilliticks() { return 0; }
void CounterRelease() {}
#endif

}  // namespace tinyhil::port

extern "C" void tinyhil_run(void) { tinyhil::AppMain(); }

#ifdef CONFIG_TINYHIL_TEST_MODE
namespace {

void TestMode(void*, void*, void*) { tinyhil_run(); }

K_THREAD_DEFINE(tinyhil_test_mode, CONFIG_TINYHIL_STACK_BYTES, TestMode, nullptr, nullptr, nullptr,
                CONFIG_TINYHIL_THREAD_PRIORITY, 0, 0);

}  // namespace
#endif
