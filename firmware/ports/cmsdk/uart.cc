// SPDX-License-Identifier: Apache-2.0
// The APB UART of Arm's CMSDK. It receives by interrupt, into a ring, and sends polled. Its receive buffer holds one
// byte: while the interrupt is off (CounterAlone), all that comes but one byte is lost.
//
// board.yaml gives TINYHIL_UART_BASE, TINYHIL_UART_CLOCK_HZ, TINYHIL_UART_BAUD and TINYHIL_UART_IRQ.
#include "ports/cortex_m/uart.h"

#include "ports/cortex_m/registers.h"
#include "ports/port.h"
#include "ports/ring.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kData = TINYHIL_UART_BASE + 0x00;
constexpr uintptr_t kState = TINYHIL_UART_BASE + 0x04;
constexpr uintptr_t kControl = TINYHIL_UART_BASE + 0x08;
constexpr uintptr_t kInterrupts = TINYHIL_UART_BASE + 0x0C;
constexpr uintptr_t kDivider = TINYHIL_UART_BASE + 0x10;
constexpr uint32_t kStateSendFull = 1u << 0;
constexpr uint32_t kStateReceived = 1u << 1;
constexpr uint32_t kControlSend = 1u << 0;
constexpr uint32_t kControlReceive = 1u << 1;
constexpr uint32_t kControlReceiveInterrupt = 1u << 3;
constexpr uint32_t kInterruptReceived = 1u << 1;

constexpr uint32_t kLeastDivisor = 16;
constexpr uint32_t kDivisors = 1u << 20;
constexpr uint32_t kDivisor = TINYHIL_UART_CLOCK_HZ / TINYHIL_UART_BAUD;
static_assert(kDivisor >= kLeastDivisor && kDivisor < kDivisors, "the CMSDK UART divides its clock by 16 to 1,048,575");

uint32_t divisor = kDivisor;
Ring<kReceiveBytes> received;

}  // namespace

void UartInit() {
  Register(kDivider) = divisor = kDivisor;
  Register(kControl) = kControlSend | kControlReceive | kControlReceiveInterrupt;
  // A byte that came before the interrupt was on may be no event, and while it waits no other is.
  if ((Register(kState) & kStateReceived) != 0) static_cast<void>(static_cast<uint32_t>(Register(kData)));
}

// The event is cleared before the state is looked at: a byte that comes in between makes it anew and is taken here, so
// that the interrupt may find nothing, but none is left without one, nor an event without its byte.
extern "C" void UART_Handler() {
  for (;;) {
    Register(kInterrupts) = kInterruptReceived;
    if ((Register(kState) & kStateReceived) == 0) return;
    received.Put(static_cast<uint8_t>(Register(kData)));
  }
}

// Sleeps where there is nothing, so that an emulated board that waits takes nothing of its computer. SysTick goes on in
// this core's sleep: its wrap, every 0.5 to 0.9 s, wakes it at the latest.
int ReadByte() {
  int byte = received.Get();
  if (byte >= 0) return byte;
  __asm volatile("cpsid i" ::: "memory");  // wfi wakes all the same, and the interrupt is taken after it
  byte = received.Get();
  if (byte < 0) __asm volatile("wfi" ::: "memory");
  __asm volatile("cpsie i" ::: "memory");
  return byte;
}

uint32_t PauseReads() { return 2; }

uint32_t ReceiveBytes() { return kReceiveBytes; }

bool CanBaud(uint32_t baud) {
  if (baud == 0 || baud > TINYHIL_UART_CLOCK_HZ) return false;
  const uint32_t wanted = TINYHIL_UART_CLOCK_HZ / baud;
  if (wanted < kLeastDivisor || wanted >= kDivisors) return false;
  const uint32_t made = TINYHIL_UART_CLOCK_HZ / wanted;
  return made - baud <= baud / 50;
}

// The state tells when the buffer is empty, not when the last byte has left: that takes ten bits more.
void SetBaud(uint32_t baud) {
  while ((Register(kState) & kStateSendFull) != 0) {
  }
  for (uint32_t i = 0; i < 12 * divisor; ++i) __asm__ volatile("");
  Register(kDivider) = divisor = baud != 0 ? TINYHIL_UART_CLOCK_HZ / baud : kDivisor;
}

void Write(const uint8_t* data, uint32_t size) {
  for (; size != 0; --size) {
    while ((Register(kState) & kStateSendFull) != 0) {
    }
    Register(kData) = *data++;
  }
}

}  // namespace tinyhil::port
