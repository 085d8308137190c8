// SPDX-License-Identifier: Apache-2.0
#ifndef TINYHIL_PORTS_CORTEX_M_COUNTER_H_
#define TINYHIL_PORTS_CORTEX_M_COUNTER_H_

namespace tinyhil::port {

// Starts the counter and measures what measuring costs.
void CounterInit();

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_CORTEX_M_COUNTER_H_
