// SPDX-License-Identifier: Apache-2.0
// From reset to the application, the memory map, and faults. Addresses come from image.ld.
#include "ports/cortex_m/counter.h"
#include "ports/cortex_m/registers.h"
#include "ports/cortex_m/uart.h"
#include "ports/port.h"

extern "C" {
extern uint32_t __data_start[], __data_end[], __bss_start[], __bss_end[];
extern const uint32_t __data_load[];
extern uint8_t __stack_guard[], __arena_start[], __arena_end[], __slot_start[], __slot_end[];
extern uint32_t __stack_bottom[], __stack_top[];
extern void (*const __init_array_start[])();
extern void (*const __init_array_end[])();
}

namespace tinyhil::port {
namespace {

constexpr uint32_t kPaint = 0xC5C5C5C5;  // startup.S paints with it

uint32_t Distance(const void* from, const void* to) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from));
}

// An overflowing stack must end in a fault, not in whatever lies below it. ARMv8-M has a stack limit for that
// (startup.S); ARMv7-M an MPU region without access, where there is an MPU.
void GuardStack() {
#if __ARM_ARCH == 7
  if ((Register(kMpuType) & kMpuTypeRegions) != 0) {
    Register(kMpuRbar) = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(__stack_guard)) | kMpuRbarRegion0;
    Register(kMpuRasr) = kMpuRasrNoAccess256Bytes;
    Register(kMpuCtrl) = kMpuCtrlEnable | kMpuCtrlDefaultMap;
    __asm volatile("dsb\n\tisb" ::: "memory");
  }
#endif
}

void EnableFaults() {
#if __ARM_ARCH >= 8 && !defined(__ARM_ARCH_8M_BASE__)
  Register(kShcsr) = kShcsrFaultsOn | kShcsrSecureFaultOn;
#elif __ARM_ARCH == 7
  Register(kShcsr) = kShcsrFaultsOn;
#endif
}

const char* FaultKind(uint32_t exception) {
  switch (exception) {
    case 2:
      return "NMI";
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

extern "C" [[noreturn]] void StartUp() {
  const uint32_t* from = __data_load;
  for (uint32_t* to = __data_start; to != __data_end; ++to) *to = *from++;
  for (uint32_t* to = __bss_start; to != __bss_end; ++to) *to = 0;
  GuardStack();
  EnableFaults();
  for (void (*const* init)() = __init_array_start; init != __init_array_end; ++init) (*init)();
  AppMain();
}

// `exc_return` says on which stack the core left the frame: r0-r3, r12, lr, pc, xpsr.
extern "C" [[noreturn]] void HandleFault(uint32_t exc_return, const uint32_t* msp, const uint32_t* psp) {
  const uint32_t* frame = (exc_return & 4) != 0 ? psp : msp;
  Fault fault = {};
  uint32_t exception;
  __asm volatile("mrs %0, ipsr" : "=r"(exception));
  fault.kind = FaultKind(exception);
  bool frame_saved = frame > __stack_bottom && frame + 8 <= __stack_top;
#if __ARM_ARCH >= 7
  fault.cfsr = Register(kCfsr);
  fault.hfsr = Register(kHfsr);
  fault.mmfar = Register(kMmfar);
  fault.bfar = Register(kBfar);
  if ((fault.cfsr & (kCfsrMemoryStacking | kCfsrBusStacking)) != 0) frame_saved = false;
  const uint32_t into_guard = fault.mmfar - static_cast<uint32_t>(reinterpret_cast<uintptr_t>(__stack_guard));
  const bool met_guard = (fault.cfsr & kCfsrMmfarValid) != 0 && into_guard < Distance(__stack_guard, __stack_bottom);
  if (met_guard || (fault.cfsr & (kCfsrMemoryStacking | kCfsrBusStacking | kCfsrStackOverflow)) != 0) {
    fault.kind = "StackOverflow";
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
  ReportFault(fault);
  for (;;) __asm volatile("wfi");
}

void Init() {
  UartInit();
  CounterInit();
  CounterShared();
}

// Of all interrupts but the counter's own there is only the UART's.
#ifdef TINYHIL_UART_IRQ
constexpr uintptr_t kUartWord = 4 * (TINYHIL_UART_IRQ / 32);
constexpr uint32_t kUartBit = 1u << (TINYHIL_UART_IRQ % 32);

void CounterAlone() {
  Register(kNvicIcer + kUartWord) = kUartBit;
  __asm volatile("dsb\n\tisb" ::: "memory");
}
void CounterShared() { Register(kNvicIser + kUartWord) = kUartBit; }
#else
void CounterAlone() {}
void CounterShared() {}
#endif

Region Arena() { return {__arena_start, Distance(__arena_start, __arena_end)}; }

Region ModelSlot() { return {__slot_start, Distance(__slot_start, __slot_end)}; }

bool ModelSlotWritable() { return TINYHIL_SLOT_WRITABLE != 0; }

uint32_t StackBytes() { return Distance(__stack_bottom, __stack_top); }

uint32_t StackPeakBytes() {
  const volatile uint32_t* word = __stack_bottom;
  while (word != __stack_top && *word == kPaint) ++word;
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(__stack_top) - reinterpret_cast<uintptr_t>(word));
}

#ifdef TINYHIL_CLOCK_HZ
uint32_t CounterHz() { return TINYHIL_CLOCK_HZ; }
#endif

#ifdef TINYHIL_SOC_ID_ADDRESS
uint32_t SocId() { return Register(TINYHIL_SOC_ID_ADDRESS); }
#endif

[[noreturn]] void Reset() {
  __asm volatile("dsb" ::: "memory");
  Register(kAircr) = kAircrResetRequest;
  for (;;) {
  }
}

}  // namespace tinyhil::port
