// SPDX-License-Identifier: Apache-2.0
// The APB UART of Arm's CMSDK, polled. Its receive buffer holds one byte: on silicon the application must poll at
// least once a byte time (87 us at 115,200 baud).
//
// board.yaml gives TINYHIL_UART_BASE, TINYHIL_UART_CLOCK_HZ and TINYHIL_UART_BAUD.
#include "ports/cortex_m/uart.h"

#include "ports/cortex_m/registers.h"
#include "ports/port.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kData = TINYHIL_UART_BASE + 0x00;
constexpr uintptr_t kState = TINYHIL_UART_BASE + 0x04;
constexpr uintptr_t kControl = TINYHIL_UART_BASE + 0x08;
constexpr uintptr_t kDivider = TINYHIL_UART_BASE + 0x10;
constexpr uint32_t kStateSendFull = 1u << 0;
constexpr uint32_t kStateReceived = 1u << 1;
constexpr uint32_t kControlSend = 1u << 0;
constexpr uint32_t kControlReceive = 1u << 1;

constexpr uint32_t kLeastDivisor = 16;
constexpr uint32_t kDivisors = 1u << 20;
constexpr uint32_t kDivisor = TINYHIL_UART_CLOCK_HZ / TINYHIL_UART_BAUD;
static_assert(kDivisor >= kLeastDivisor && kDivisor < kDivisors, "the CMSDK UART divides its clock by 16 to 1,048,575");

uint32_t divisor = kDivisor;

}  // namespace

void UartInit() {
  Register(kDivider) = divisor = kDivisor;
  Register(kControl) = kControlSend | kControlReceive;
}

int ReadByte() {
  if ((Register(kState) & kStateReceived) == 0) return -1;
  return static_cast<int>(Register(kData) & 0xFF);
}

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
