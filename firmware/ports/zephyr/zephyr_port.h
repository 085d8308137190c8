// SPDX-License-Identifier: Apache-2.0
// What the files of this port need of each other.
#ifndef TINYHIL_PORTS_ZEPHYR_ZEPHYR_PORT_H_
#define TINYHIL_PORTS_ZEPHYR_ZEPHYR_PORT_H_

#include <zephyr/devicetree.h>
#include <zephyr/kernel.h>

#if DT_HAS_CHOSEN(tinyhil_uart)
#define TINYHIL_UART_NODE DT_CHOSEN(tinyhil_uart)
#elif DT_HAS_CHOSEN(zephyr_console)
#define TINYHIL_UART_NODE DT_CHOSEN(zephyr_console)
#else
#error "tinyhil has no UART: devicetree chooses neither tinyhil,uart nor zephyr,console"
#endif

#if DT_NODE_HAS_COMPAT(TINYHIL_UART_NODE, zephyr_cdc_acm_uart)
#define TINYHIL_UART_IS_USB 1
#endif

namespace tinyhil::port {

void UartInit();
void UartInFault();        // from now on Write waits for nobody
k_thread* UartThread();    // USB: what Write took leaves only if this thread goes on
void StackOfThisThread();  // the one to measure
k_thread* CommandLoop();   // the thread that it runs in; null before it does

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_ZEPHYR_ZEPHYR_PORT_H_
