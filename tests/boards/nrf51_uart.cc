// SPDX-License-Identifier: Apache-2.0
// The UART of QEMU's microbit, polled: for the one Cortex-M0 that QEMU has. Test code, no port: no pins, no clock.
#include "ports/cortex_m/registers.h"
#include "ports/cortex_m/uart.h"
#include "ports/port.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kStartReceive = 0x40002000;
constexpr uintptr_t kStartSend = 0x40002008;
constexpr uintptr_t kHasReceived = 0x40002108;
constexpr uintptr_t kHasSent = 0x4000211C;
constexpr uintptr_t kEnable = 0x40002500;
constexpr uintptr_t kReceived = 0x40002518;
constexpr uintptr_t kSend = 0x4000251C;

}  // namespace

void UartInit() {
  Register(kEnable) = 4;
  Register(kStartSend) = 1;
  Register(kStartReceive) = 1;
}

int ReadByte() {
  if (Register(kHasReceived) == 0) return -1;
  Register(kHasReceived) = 0;
  return static_cast<int>(Register(kReceived) & 0xFF);
}

void Write(const uint8_t* data, uint32_t size) {
  for (; size != 0; --size) {
    Register(kHasSent) = 0;
    Register(kSend) = *data++;
    while (Register(kHasSent) == 0) {
    }
  }
}

}  // namespace tinyhil::port
