// SPDX-License-Identifier: Apache-2.0
// Clocks and pins of STM32. The core runs from the internal oscillator that reset selects (HSI: F0 8 MHz, F4 and F7
// 16 MHz, H7 64 MHz): exact enough for a UART, no wait for a crystal, and flash needs no more wait states than reset
// gives it. Only the L5 is moved, from 4 MHz (MSI) to 16 MHz (HSI16).
//
// board.yaml gives, of the reference manual's registers:
//   TINYHIL_UART_CLOCK_ENABLE, TINYHIL_UART_CLOCK_BIT    RCC's enable register and bit of the UART
//   TINYHIL_GPIO_CLOCK_ENABLE, TINYHIL_GPIO_CLOCK_BITS   RCC's enable register and mask of the ports of its pins
//   TINYHIL_TX_PORT, TINYHIL_TX_PIN, TINYHIL_RX_PORT, TINYHIL_RX_PIN, TINYHIL_UART_FUNCTION   the pins
//   TINYHIL_STM32_L5 = 1 on that family
#include "ports/stm32/clock.h"

#include "ports/cortex_m/registers.h"

namespace tinyhil::port {
namespace {

constexpr uintptr_t kMode = 0x00;
constexpr uintptr_t kPull = 0x0C;
constexpr uintptr_t kFunction = 0x20;
constexpr uint32_t kModeFunction = 2;
constexpr uint32_t kPullUp = 1;

void SetField(uintptr_t address, uint32_t position, uint32_t bits, uint32_t value) {
  const uint32_t mask = ((1u << bits) - 1) << position;
  Register(address) = (Register(address) & ~mask) | (value << position);
}

// The pull-up keeps a line that nobody drives from being read as bytes.
void UsePin(uintptr_t port, uint32_t pin) {
  SetField(port + kFunction + (pin / 8) * 4, (pin % 8) * 4, 4, TINYHIL_UART_FUNCTION);
  SetField(port + kPull, pin * 2, 2, kPullUp);
  SetField(port + kMode, pin * 2, 2, kModeFunction);
}

void Enable(uintptr_t address, uint32_t bits) {
  Register(address) = Register(address) | bits;
  [[maybe_unused]] const uint32_t read_back = Register(address);  // the clock runs once this has been read back
}

#if TINYHIL_STM32_L5
constexpr uintptr_t kRccCr = 0x40021000;
constexpr uint32_t kRccCrHsiOn = 1u << 8;
constexpr uintptr_t kRccCfgr = 0x40021008;
constexpr uintptr_t kRccApb1enr1 = 0x40021058;
constexpr uint32_t kRccApb1enr1Power = 1u << 28;
constexpr uintptr_t kPwrCr2 = 0x40007004;
constexpr uint32_t kPwrCr2Vddio2 = 1u << 9;
constexpr uintptr_t kFlashAcr = 0x40022000;

void LeaveReset() {
  // Reset's voltage range 2 allows 26 MHz with two wait states. A switch to a clock that is not ready yet is made by
  // the hardware as soon as it is.
  SetField(kFlashAcr, 0, 4, 2);
  [[maybe_unused]] const uint32_t read_back = Register(kFlashAcr);
  Enable(kRccCr, kRccCrHsiOn);
  SetField(kRccCfgr, 0, 2, 1);
  Enable(kRccApb1enr1, kRccApb1enr1Power);
  Register(kPwrCr2) = Register(kPwrCr2) | kPwrCr2Vddio2;  // port G's pins have a supply of their own
}
#else
void LeaveReset() {}
#endif

}  // namespace

void ClockInit() {
  LeaveReset();
  Enable(TINYHIL_GPIO_CLOCK_ENABLE, TINYHIL_GPIO_CLOCK_BITS);
  Enable(TINYHIL_UART_CLOCK_ENABLE, 1u << TINYHIL_UART_CLOCK_BIT);
  UsePin(TINYHIL_TX_PORT, TINYHIL_TX_PIN);
  UsePin(TINYHIL_RX_PORT, TINYHIL_RX_PIN);
}

}  // namespace tinyhil::port
