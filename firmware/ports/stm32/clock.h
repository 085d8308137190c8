// SPDX-License-Identifier: Apache-2.0
#ifndef TINYHIL_PORTS_STM32_CLOCK_H_
#define TINYHIL_PORTS_STM32_CLOCK_H_

namespace tinyhil::port {

// Brings the system clock to what board.yaml says, and the UART its clock and its pins.
void ClockInit();

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_STM32_CLOCK_H_
