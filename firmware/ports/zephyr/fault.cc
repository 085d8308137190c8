// SPDX-License-Identifier: Apache-2.0
// Faults: the same report as on bare metal.
//
// Zephyr's handler clears the fault status and copies the frame before it calls k_sys_fatal_error_handler. So the
// linker puts __wrap_z_arm_fault before it (--wrap), which keeps what the core left, and k_sys_fatal_error_handler
// reports that. What Zephyr recovers from is not reported. A kernel panic or oops has no registers but those of its
// frame.
//
// Then the core halts. Over USB it cannot: the report leaves only if threads go on. So the thread that faulted ends,
// the command loop with it, and the rest goes on. A fault of an interrupt, or of the USB stack's own thread, halts
// without a word.
#include <zephyr/fatal.h>
#include <zephyr/kernel.h>

#if defined(__has_include) && __has_include(<zephyr/version.h>)
#include <zephyr/version.h>
#else
#include <version.h>
#endif

#include "ports/port.h"
#include "ports/zephyr/zephyr_port.h"

#ifdef CONFIG_CPU_CORTEX_M
#include "ports/cortex_m/registers.h"
#endif

#if KERNEL_VERSION_NUMBER >= 0x030700
using ZephyrFrame = struct arch_esf;
#else
using ZephyrFrame = z_arch_esf_t;
#endif

namespace tinyhil::port {
namespace {

Fault fault;  // zeros, and what __wrap_z_arm_fault found
bool in_thread = false;

const char* ReasonKind(unsigned int reason) {
  switch (reason) {
    case K_ERR_SPURIOUS_IRQ:
      return "UnexpectedInterrupt";
    case K_ERR_STACK_CHK_FAIL:
      return "StackOverflow";
    case K_ERR_KERNEL_OOPS:
      return "KernelOops";
    case K_ERR_KERNEL_PANIC:
      return "KernelPanic";
    default:
      return fault.kind != nullptr ? fault.kind : "FatalError";
  }
}

}  // namespace

#ifdef CONFIG_CPU_CORTEX_M

namespace {

const char* ExceptionKind(uint32_t exception) {
  switch (exception) {
    case 3:
      return "HardFault";
    case 4:
      return "MemManage";
    case 5:
      return "BusFault";
    case 6:
      return "UsageFault";
    case 7:
      return "SecureFault";
    default:
      return "UnexpectedInterrupt";
  }
}

}  // namespace

extern "C" {

void __real_z_arm_fault(uint32_t msp, uint32_t psp, uint32_t exc_return, void* callee_registers);

// `msp`, `psp`: as they were right after the core left its frame (r0-r3, r12, lr, pc, xpsr) on one of them.
void __wrap_z_arm_fault(uint32_t msp, uint32_t psp, uint32_t exc_return, void* callee_registers) {
  const uint32_t* frame = reinterpret_cast<const uint32_t*>((exc_return & 4) != 0 ? psp : msp);
  uint32_t exception;
  __asm__ volatile("mrs %0, ipsr" : "=r"(exception));
  fault = {};
  fault.kind = ExceptionKind(exception & 0x1FF);
  in_thread = (exc_return & 8) != 0;
  bool frame_saved = true;
#if __ARM_ARCH >= 7
  fault.cfsr = Register(kCfsr);
  fault.hfsr = Register(kHfsr);
  fault.mmfar = Register(kMmfar);
  fault.bfar = Register(kBfar);
  if ((fault.cfsr & (kCfsrMemoryStacking | kCfsrBusStacking | kCfsrStackOverflow)) != 0) {
    fault.kind = "StackOverflow";
    frame_saved = false;
  }
#endif
  fault.sp = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(frame));
  if (frame_saved) {
    fault.lr = frame[5];
    fault.pc = frame[6];
    fault.xpsr = frame[7];
    const bool with_fpu_registers = (exc_return & 0x10) == 0;
    const bool padded = (fault.xpsr & (1u << 9)) != 0;
    fault.sp += (with_fpu_registers ? 104u : 32u) + (padded ? 4u : 0u);  // as it was before the exception
  }
  __real_z_arm_fault(msp, psp, exc_return, callee_registers);
  fault = {};
}

}  // extern "C"

#endif  // CONFIG_CPU_CORTEX_M

#if defined(CONFIG_CPU_CORTEX_M) && defined(TINYHIL_UART_IS_USB)

namespace {

// Whether the report can still leave.
bool ThreadsCanGoOn() { return in_thread && k_current_get() != UartThread(); }

// Zephyr ends the thread that faulted when its handler returns; here the command loop ends too. Neither may count as
// essential: Zephyr would panic.
void EndThreads() {
  CounterRelease();
  k_thread* const faulted = k_current_get();
  k_thread* const loop = CommandLoop();
  faulted->base.user_options &= static_cast<uint8_t>(~K_ESSENTIAL);
  if (loop == nullptr || loop == faulted) return;
  loop->base.user_options &= static_cast<uint8_t>(~K_ESSENTIAL);
  k_thread_abort(loop);
}

}  // namespace

#else

namespace {

bool ThreadsCanGoOn() { return false; }
void EndThreads() {}

}  // namespace

#endif

// In place of Zephyr's own, which is weak and prints.
extern "C" void k_sys_fatal_error_handler(unsigned int reason, const ZephyrFrame* frame) {
  const unsigned int key = irq_lock();
#ifdef CONFIG_CPU_CORTEX_M
  if (fault.kind == nullptr && frame != nullptr) {
    // The kernel's own are raised by SVC, two bytes long: the next instruction may be another function's.
    fault.pc = frame->basic.pc - (reason == K_ERR_SPURIOUS_IRQ ? 0 : 2);
    fault.lr = frame->basic.lr;
    fault.xpsr = frame->basic.xpsr;
    in_thread = (fault.xpsr & 0x1FF) == 0;
  }
#else
  static_cast<void>(frame);
#endif
  fault.kind = ReasonKind(reason);
  UartInFault();
  ReportFault(fault);
  if (!ThreadsCanGoOn()) k_fatal_halt(reason);
  EndThreads();
  fault = {};
  irq_unlock(key);
}

}  // namespace tinyhil::port
