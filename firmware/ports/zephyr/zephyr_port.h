// SPDX-License-Identifier: Apache-2.0
// What the files of this port need of each other.
#ifndef TINYHIL_PORTS_ZEPHYR_ZEPHYR_PORT_H_
#define TINYHIL_PORTS_ZEPHYR_ZEPHYR_PORT_H_

namespace tinyhil::port {

void UartInit();
void UartInFault();        // from now on Write polls
void StackOfThisThread();  // the one to measure

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_ZEPHYR_ZEPHYR_PORT_H_
