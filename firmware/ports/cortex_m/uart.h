// SPDX-License-Identifier: Apache-2.0
// What a Cortex-M port needs of a UART driver besides port::ReadByte, PauseReads and Write, which the driver defines
// too.
//
// A driver that receives by interrupt: board.yaml gives its number, TINYHIL_UART_IRQ. Its handler is UART_Handler, and
// it is off while something is measured (CounterAlone). What the handler takes waits in a ring of
// TINYHIL_UART_RING_BYTES, which the host is told, so that it never sends more than there is room for.
#ifndef TINYHIL_PORTS_CORTEX_M_UART_H_
#define TINYHIL_PORTS_CORTEX_M_UART_H_

#include <stdint.h>

extern "C" void UART_Handler();

namespace tinyhil::port {

#ifdef TINYHIL_UART_RING_BYTES
constexpr uint32_t kReceiveBytes = TINYHIL_UART_RING_BYTES;
#else
constexpr uint32_t kReceiveBytes = 4096;
#endif

constexpr uint32_t kPauseReads = 1u << 20;  // of a driver whose ReadByte never sleeps

void UartInit();

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_CORTEX_M_UART_H_
