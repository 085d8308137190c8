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

constexpr uint32_t kDivisor = TINYHIL_UART_CLOCK_HZ / TINYHIL_UART_BAUD;
static_assert(kDivisor >= 16 && kDivisor < (1u << 20), "the CMSDK UART divides its clock by 16 to 1,048,575");

}  // namespace

void UartInit() {
  Register(kDivider) = kDivisor;
  Register(kControl) = kControlSend | kControlReceive;
}

int ReadByte() {
  if ((Register(kState) & kStateReceived) == 0) return -1;
  return static_cast<int>(Register(kData) & 0xFF);
}

void Write(const uint8_t* data, uint32_t size) {
  for (; size != 0; --size) {
    while ((Register(kState) & kStateSendFull) != 0) {
    }
    Register(kData) = *data++;
  }
}

}  // namespace tinyhil::port
