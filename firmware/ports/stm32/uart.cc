// SPDX-License-Identifier: Apache-2.0
// The USART and LPUART of STM32. They receive by interrupt, into a ring, and send polled. Two generations of register
// layout: "1" has one data register and a status register (F1, F2, F4, L1); "2" has separate data registers, and flags
// that are cleared in a register of their own (F0, F3, F7, G, H7, L0, L4, L5, U5). One byte is buffered: while the
// interrupt is off (CounterAlone), all that comes but one byte is lost.
//
// board.yaml gives TINYHIL_USART_GENERATION, TINYHIL_UART_BASE, TINYHIL_UART_CLOCK_HZ, TINYHIL_UART_BAUD,
// TINYHIL_UART_IRQ and TINYHIL_UART_IS_LPUART (0 or 1); the clock's source is what reset or clock.cc leaves.
#include "ports/cortex_m/uart.h"

#include "ports/cortex_m/registers.h"
#include "ports/port.h"
#include "ports/ring.h"
#include "ports/stm32/clock.h"

namespace tinyhil::port {
namespace {

#if TINYHIL_USART_GENERATION == 1
constexpr uintptr_t kStatus = TINYHIL_UART_BASE + 0x00;
constexpr uintptr_t kReceived = TINYHIL_UART_BASE + 0x04;
constexpr uintptr_t kSend = TINYHIL_UART_BASE + 0x04;
constexpr uintptr_t kDivider = TINYHIL_UART_BASE + 0x08;
constexpr uintptr_t kControl = TINYHIL_UART_BASE + 0x0C;
constexpr uint32_t kControlOn = (1u << 13) | (1u << 5) | (1u << 3) | (1u << 2);  // UE, RXNEIE, TE, RE
#elif TINYHIL_USART_GENERATION == 2
constexpr uintptr_t kControl = TINYHIL_UART_BASE + 0x00;
constexpr uintptr_t kDivider = TINYHIL_UART_BASE + 0x0C;
constexpr uintptr_t kStatus = TINYHIL_UART_BASE + 0x1C;
constexpr uintptr_t kClear = TINYHIL_UART_BASE + 0x20;
constexpr uintptr_t kReceived = TINYHIL_UART_BASE + 0x24;
constexpr uintptr_t kSend = TINYHIL_UART_BASE + 0x28;
constexpr uint32_t kControlOn = (1u << 5) | (1u << 3) | (1u << 2) | (1u << 0);  // RXNEIE, TE, RE, UE
#else
#error TINYHIL_USART_GENERATION is 1 or 2
#endif

// The same bits in both generations.
constexpr uint32_t kStatusErrors = 0xF;  // parity, framing, noise, overrun
constexpr uint32_t kStatusReceived = 1u << 5;
constexpr uint32_t kStatusSent = 1u << 6;
constexpr uint32_t kStatusSendEmpty = 1u << 7;

// An LPUART counts 256ths of its clock. To the nearest, since the division leaves a rest.
constexpr uint64_t kScaledClock = uint64_t{TINYHIL_UART_CLOCK_HZ} * (TINYHIL_UART_IS_LPUART ? 256 : 1);
constexpr uint64_t Divisor(uint64_t baud) { return (kScaledClock + baud / 2) / baud; }

constexpr bool InRange(uint64_t divisor) {
  return TINYHIL_UART_IS_LPUART ? divisor >= 0x300 && divisor < (1u << 20) : divisor >= 16 && divisor < (1u << 16);
}

// To within 2 %.
constexpr bool Exact(uint64_t baud) {
  const uint64_t made = kScaledClock / Divisor(baud);
  return made * 50 >= baud * 49 && made * 50 <= baud * 51;
}

static_assert(InRange(Divisor(TINYHIL_UART_BAUD)),
              "the divider of a USART is 16 to 65,535, that of an LPUART 768 to 1,048,575");
static_assert(Exact(TINYHIL_UART_BAUD), "the clock does not divide to within 2 % of the baud rate");

Ring<kReceiveBytes> received;

}  // namespace

void UartInit() {
  ClockInit();
  Register(kDivider) = static_cast<uint32_t>(Divisor(TINYHIL_UART_BAUD));
  Register(kControl) = kControlOn;
}

// An overrun is an event of its own, which lasts until it is cleared. In generation 1 that is done by reading the data
// after the status, whether there are any or not.
extern "C" void UART_Handler() {
  for (;;) {
    const uint32_t status = Register(kStatus);
#if TINYHIL_USART_GENERATION == 2
    if ((status & kStatusErrors) != 0) Register(kClear) = status & kStatusErrors;
    if ((status & kStatusReceived) == 0) return;
    received.Put(static_cast<uint8_t>(Register(kReceived)));
#else
    if ((status & (kStatusReceived | kStatusErrors)) == 0) return;
    const uint8_t byte = static_cast<uint8_t>(Register(kReceived));
    if ((status & kStatusReceived) != 0) received.Put(byte);
#endif
  }
}

int ReadByte() { return received.Get(); }

uint32_t PauseReads() { return kPauseReads; }

uint32_t ReceiveBytes() { return kReceiveBytes; }

bool CanBaud(uint32_t baud) { return baud != 0 && InRange(Divisor(baud)) && Exact(baud); }

// The divider may be written only while the USART is off.
void SetBaud(uint32_t baud) {
  while ((Register(kStatus) & kStatusSent) == 0) {
  }
  Register(kControl) = 0;
  Register(kDivider) = static_cast<uint32_t>(Divisor(baud != 0 ? baud : TINYHIL_UART_BAUD));
  Register(kControl) = kControlOn;
}

void Write(const uint8_t* data, uint32_t size) {
  for (; size != 0; --size) {
    while ((Register(kStatus) & kStatusSendEmpty) == 0) {
    }
    Register(kSend) = *data++;
  }
}

}  // namespace tinyhil::port
