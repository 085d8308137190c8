// SPDX-License-Identifier: Apache-2.0
// The UARTE of nRF52, polled. It moves bytes by EasyDMA alone, and that reaches RAM alone: what is sent is copied into
// a buffer first; what is received comes one byte a transfer, the next transfer beginning as a byte is taken. Meanwhile
// the UARTE's own FIFO holds up to five more: the application must poll once in five byte times (430 us at
// 115,200 baud).
//
// Renode's UARTE delivers a byte also between the end of a transfer and the start of the next: it then goes behind the
// byte received before and is lost. The buffer to send from lies there, so that it harms nothing else; the link sends
// again what was lost.
//
// board.yaml gives TINYHIL_UART_BASE, TINYHIL_UART_BAUD, TINYHIL_TX_PIN and TINYHIL_RX_PIN, pins of port 0.
#include "ports/cortex_m/uart.h"

#include <string.h>

#include "ports/cortex_m/registers.h"
#include "ports/port.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kStartReceive = TINYHIL_UART_BASE + 0x000;
constexpr uintptr_t kStartSend = TINYHIL_UART_BASE + 0x008;
constexpr uintptr_t kReceived = TINYHIL_UART_BASE + 0x110;
constexpr uintptr_t kSent = TINYHIL_UART_BASE + 0x120;
constexpr uintptr_t kEnable = TINYHIL_UART_BASE + 0x500;
constexpr uint32_t kEnableUarte = 8;
constexpr uintptr_t kSelectTx = TINYHIL_UART_BASE + 0x50C;
constexpr uintptr_t kSelectRx = TINYHIL_UART_BASE + 0x514;
constexpr uintptr_t kBaud = TINYHIL_UART_BASE + 0x524;
constexpr uintptr_t kReceiveTo = TINYHIL_UART_BASE + 0x534;
constexpr uintptr_t kReceiveBytes = TINYHIL_UART_BASE + 0x538;
constexpr uintptr_t kSendFrom = TINYHIL_UART_BASE + 0x544;
constexpr uintptr_t kSendBytes = TINYHIL_UART_BASE + 0x548;

constexpr uintptr_t kClockStart = 0x40000000;
constexpr uintptr_t kClockStarted = 0x40000100;
constexpr uintptr_t kGpioSet = 0x50000508;
constexpr uintptr_t kGpioOutput = 0x50000518;
constexpr uintptr_t kGpioConfigureRx = 0x50000700 + 4 * TINYHIL_RX_PIN;
constexpr uint32_t kInputPulledUp = 3u << 2;
constexpr uintptr_t kInstructionCache = 0x4001E540;

// The product specification has a table of values, no formula.
static_assert(TINYHIL_UART_BAUD == 115200, "the one baud rate whose value is here");
constexpr uint32_t kBaud115200 = 0x01D60000;

// The byte received, and behind it what is being sent.
uint8_t buffer[1 + 255];

uint32_t BufferAddress(uint32_t index) { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(buffer + index)); }

void Clear(uintptr_t event) {
  Register(event) = 0;
  [[maybe_unused]] const uint32_t read_back = Register(event);  // it is gone once this has been read back
}

}  // namespace

void UartInit() {
  Register(kInstructionCache) = 1;  // as products have it
  Clear(kClockStarted);
  Register(kClockStart) = 1;  // the crystal: the internal oscillator is too coarse for a UART
  while (Register(kClockStarted) == 0) {
  }
  Register(kGpioSet) = 1u << TINYHIL_TX_PIN;
  Register(kGpioOutput) = 1u << TINYHIL_TX_PIN;
  Register(kGpioConfigureRx) = kInputPulledUp;
  Register(kSelectTx) = TINYHIL_TX_PIN;
  Register(kSelectRx) = TINYHIL_RX_PIN;
  Register(kBaud) = kBaud115200;
  Register(kEnable) = kEnableUarte;
  Register(kReceiveTo) = BufferAddress(0);
  Register(kReceiveBytes) = 1;
  Clear(kReceived);
  Register(kStartReceive) = 1;
}

int ReadByte() {
  if (Register(kReceived) == 0) return -1;
  const int byte = static_cast<const volatile uint8_t*>(buffer)[0];
  Register(kReceived) = 0;
  Register(kStartReceive) = 1;
  return byte;
}

void Write(const uint8_t* data, uint32_t size) {
  while (size != 0) {
    const uint32_t chunk = size < sizeof(buffer) - 1 ? size : sizeof(buffer) - 1;
    memcpy(buffer + 1, data, chunk);
    __asm volatile("" ::: "memory");  // all of it is in RAM before the hardware looks
    Register(kSendFrom) = BufferAddress(1);
    Register(kSendBytes) = chunk;
    Clear(kSent);
    Register(kStartSend) = 1;
    while (Register(kSent) == 0) {
    }
    data += chunk;
    size -= chunk;
  }
}

}  // namespace tinyhil::port
