// SPDX-License-Identifier: Apache-2.0
#ifndef TINYHIL_PORTS_CORTEX_M_COUNTER_H_
#define TINYHIL_PORTS_CORTEX_M_COUNTER_H_

namespace tinyhil::port {

// Starts the counter and measures what measuring costs.
void CounterInit();

// What the counter calls before it starts and after it was read: from one to the other nothing else may run. Both may
// come twice in a row. On bare metal it is the UART that waits.
void CounterAlone();
void CounterShared();

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_CORTEX_M_COUNTER_H_
