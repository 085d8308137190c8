// SPDX-License-Identifier: Apache-2.0
// The UART of nRF51. It receives by interrupt, into a ring, and sends polled. Its FIFO holds six bytes: while the
// interrupt is off (CounterAlone), all that comes beyond them is lost.
//
// board.yaml gives TINYHIL_UART_BASE, TINYHIL_UART_BAUD, TINYHIL_UART_IRQ, TINYHIL_TX_PIN and TINYHIL_RX_PIN.
#include "ports/cortex_m/uart.h"

#include "ports/cortex_m/registers.h"
#include "ports/port.h"
#include "ports/ring.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kStartReceive = TINYHIL_UART_BASE + 0x000;
constexpr uintptr_t kStartSend = TINYHIL_UART_BASE + 0x008;
constexpr uintptr_t kHasReceived = TINYHIL_UART_BASE + 0x108;
constexpr uintptr_t kHasSent = TINYHIL_UART_BASE + 0x11C;
constexpr uintptr_t kInterruptEnable = TINYHIL_UART_BASE + 0x304;
constexpr uint32_t kInterruptReceived = 1u << 2;
constexpr uintptr_t kEnable = TINYHIL_UART_BASE + 0x500;
constexpr uint32_t kEnableUart = 4;
constexpr uintptr_t kSelectTx = TINYHIL_UART_BASE + 0x50C;
constexpr uintptr_t kSelectRx = TINYHIL_UART_BASE + 0x514;
constexpr uintptr_t kReceived = TINYHIL_UART_BASE + 0x518;
constexpr uintptr_t kSend = TINYHIL_UART_BASE + 0x51C;
constexpr uintptr_t kBaud = TINYHIL_UART_BASE + 0x524;
constexpr uint32_t kBaud115200 = 0x01D7E000;

constexpr uintptr_t kClockStart = 0x40000000;
constexpr uintptr_t kClockStarted = 0x40000100;
constexpr uintptr_t kGpioSet = 0x50000508;
constexpr uintptr_t kGpioOutput = 0x50000518;
constexpr uintptr_t kGpioConfigureRx = 0x50000700 + 4 * TINYHIL_RX_PIN;
constexpr uint32_t kInputPulledUp = 3u << 2;

// The reference manual has a table of values, no formula.
static_assert(TINYHIL_UART_BAUD == 115200, "only this rate has been looked up");

Ring<kReceiveBytes> received;

}  // namespace

void UartInit() {
  Register(kClockStart) = 1;  // the crystal: the internal oscillator is too coarse for a UART
  while (Register(kClockStarted) == 0) {
  }
  Register(kGpioSet) = 1u << TINYHIL_TX_PIN;
  Register(kGpioOutput) = 1u << TINYHIL_TX_PIN;
  Register(kGpioConfigureRx) = kInputPulledUp;
  Register(kSelectTx) = TINYHIL_TX_PIN;
  Register(kSelectRx) = TINYHIL_RX_PIN;
  Register(kBaud) = kBaud115200;
  Register(kEnable) = kEnableUart;
  Register(kStartSend) = 1;
  Register(kStartReceive) = 1;
  Register(kInterruptEnable) = kInterruptReceived;
}

bool CanBaud(uint32_t baud) { return baud == TINYHIL_UART_BAUD; }
void SetBaud(uint32_t) {}

extern "C" void UART_Handler() {
  while (Register(kHasReceived) != 0) {
    Register(kHasReceived) = 0;
    received.Put(static_cast<uint8_t>(Register(kReceived)));
  }
}

int ReadByte() { return received.Get(); }

uint32_t PauseReads() { return kPauseReads; }

uint32_t ReceiveBytes() { return kReceiveBytes; }

void Write(const uint8_t* data, uint32_t size) {
  for (; size != 0; --size) {
    Register(kHasSent) = 0;
    Register(kSend) = *data++;
    while (Register(kHasSent) == 0) {
    }
  }
}

}  // namespace tinyhil::port
