// SPDX-License-Identifier: Apache-2.0
// What a Cortex-M port needs of a UART driver besides port::ReadByte and port::Write, which the driver defines too.
#ifndef TINYHIL_PORTS_CORTEX_M_UART_H_
#define TINYHIL_PORTS_CORTEX_M_UART_H_

namespace tinyhil::port {

void UartInit();

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_CORTEX_M_UART_H_
