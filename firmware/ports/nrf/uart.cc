// SPDX-License-Identifier: Apache-2.0
// The UARTE of nRF52. It moves bytes by EasyDMA alone, and that reaches RAM alone: what is sent is copied into a buffer
// first; what is received comes one byte a transfer, whose interrupt puts the byte into a ring and begins the next.
// Meanwhile the UARTE's own FIFO holds up to five more; what comes beyond them while the interrupt is off
// (CounterAlone) is lost.
//
// Renode's UARTE delivers bytes also between the end of a transfer and the start of the next, and then writes on behind
// the last one. They are lost, and the link sends again what was lost; the byte received is the last of all RAM, so
// that they fall into nothing.
//
// board.yaml gives TINYHIL_UART_BASE, TINYHIL_UART_BAUD, TINYHIL_UART_IRQ, TINYHIL_TX_PIN and TINYHIL_RX_PIN, pins of
// port 0; with TINYHIL_RTS_PIN and TINYHIL_CTS_PIN, hardware flow control.
#include "ports/cortex_m/uart.h"

#include <string.h>

#include "ports/cortex_m/registers.h"
#include "ports/port.h"
#include "ports/ring.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kStartReceive = TINYHIL_UART_BASE + 0x000;
constexpr uintptr_t kStartSend = TINYHIL_UART_BASE + 0x008;
constexpr uintptr_t kReceived = TINYHIL_UART_BASE + 0x110;
constexpr uintptr_t kSent = TINYHIL_UART_BASE + 0x120;
constexpr uintptr_t kInterruptEnable = TINYHIL_UART_BASE + 0x304;
constexpr uint32_t kInterruptReceived = 1u << 4;
constexpr uintptr_t kEnable = TINYHIL_UART_BASE + 0x500;
constexpr uint32_t kEnableUarte = 8;
constexpr uintptr_t kSelectTx = TINYHIL_UART_BASE + 0x50C;
constexpr uintptr_t kSelectRx = TINYHIL_UART_BASE + 0x514;
constexpr uintptr_t kSelectRts = TINYHIL_UART_BASE + 0x508;
constexpr uintptr_t kSelectCts = TINYHIL_UART_BASE + 0x510;
constexpr uintptr_t kConfigure = TINYHIL_UART_BASE + 0x56C;
constexpr uint32_t kConfigureFlowControl = 1u << 0;
constexpr uintptr_t kBaud = TINYHIL_UART_BASE + 0x524;
constexpr uintptr_t kReceiveTo = TINYHIL_UART_BASE + 0x534;
constexpr uintptr_t kReceiveCount = TINYHIL_UART_BASE + 0x538;
constexpr uintptr_t kSendFrom = TINYHIL_UART_BASE + 0x544;
constexpr uintptr_t kSendBytes = TINYHIL_UART_BASE + 0x548;

constexpr uintptr_t kClockStart = 0x40000000;
constexpr uintptr_t kClockStarted = 0x40000100;
constexpr uintptr_t kGpioSet = 0x50000508;
constexpr uintptr_t kGpioOutput = 0x50000518;
constexpr uintptr_t kGpioConfigure = 0x50000700;  // of each pin
constexpr uint32_t kInputPulledUp = 3u << 2;
constexpr uintptr_t kInstructionCache = 0x4001E540;

// The product specification has a table of values, no formula.
static_assert(TINYHIL_UART_BAUD == 115200, "the rate to start with is the first of the table");
struct Rate {
  uint32_t baud;
  uint32_t value;
};
constexpr Rate kRates[] = {
    {115200, 0x01D60000}, {230400, 0x03B00000}, {460800, 0x07400000}, {921600, 0x0F000000}, {1000000, 0x10000000},
};

constexpr uint32_t kRamEndBytes = 16;  // image.ld
__attribute__((section(".ram_end"))) volatile uint8_t ram_end[kRamEndBytes];
volatile uint8_t& arrived = ram_end[kRamEndBytes - 1];
Ring<kReceiveBytes> received;
uint8_t to_send[256];

uint32_t Address(const volatile uint8_t* data) { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(data)); }

void Clear(uintptr_t event) {
  Register(event) = 0;
  [[maybe_unused]] const uint32_t read_back = Register(event);  // it is gone once this has been read back
}

}  // namespace

void UartInit() {
  Register(kInstructionCache) = 1;  // as products have it
  Register(kClockStart) = 1;        // the crystal: the internal oscillator is too coarse for a UART
  while (Register(kClockStarted) == 0) {
  }
  Register(kGpioSet) = 1u << TINYHIL_TX_PIN;
  Register(kGpioOutput) = 1u << TINYHIL_TX_PIN;
  Register(kGpioConfigure + 4 * TINYHIL_RX_PIN) = kInputPulledUp;
  Register(kSelectTx) = TINYHIL_TX_PIN;
  Register(kSelectRx) = TINYHIL_RX_PIN;
#if defined(TINYHIL_RTS_PIN) && defined(TINYHIL_CTS_PIN)
  Register(kGpioSet) = 1u << TINYHIL_RTS_PIN;
  Register(kGpioOutput) = 1u << TINYHIL_RTS_PIN;
  Register(kGpioConfigure + 4 * TINYHIL_CTS_PIN) = kInputPulledUp;
  Register(kSelectRts) = TINYHIL_RTS_PIN;
  Register(kSelectCts) = TINYHIL_CTS_PIN;
  Register(kConfigure) = kConfigureFlowControl;
#endif
  Register(kBaud) = kRates[0].value;
  Register(kEnable) = kEnableUarte;
  Register(kReceiveTo) = Address(&arrived);
  Register(kReceiveCount) = 1;
  Clear(kReceived);
  Register(kInterruptEnable) = kInterruptReceived;
  Register(kStartReceive) = 1;
}

bool CanBaud(uint32_t baud) {
  for (const Rate& rate : kRates) {
    if (rate.baud == baud) return true;
  }
  return false;
}

// Write ends when the last byte has left.
void SetBaud(uint32_t baud) {
  uint32_t value = kRates[0].value;
  for (const Rate& rate : kRates) {
    if (rate.baud == baud) value = rate.value;
  }
  Register(kBaud) = value;
}

extern "C" void UART_Handler() {
  while (Register(kReceived) != 0) {
    const uint8_t byte = arrived;
    // Nothing between these two: see above.
    __asm volatile("str %[none], [%[received]]\n\tstr %[one], [%[start]]" ::[none] "l"(0), [one] "l"(1),
                   [received] "l"(kReceived), [start] "l"(kStartReceive)
                   : "memory");
    received.Put(byte);
  }
}

int ReadByte() { return received.Get(); }

uint32_t PauseReads() { return kPauseReads; }

uint32_t ReceiveBytes() { return kReceiveBytes; }

void Write(const uint8_t* data, uint32_t size) {
  while (size != 0) {
    const uint32_t chunk = size < sizeof(to_send) ? size : sizeof(to_send);
    memcpy(to_send, data, chunk);
    __asm volatile("" ::: "memory");  // all of it is in RAM before the hardware looks
    Register(kSendFrom) = Address(to_send);
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
