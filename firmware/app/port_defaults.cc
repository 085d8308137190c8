// SPDX-License-Identifier: Apache-2.0
// What the application takes for granted of a port that does not say: no room for bytes that wait, one baud rate, a
// counter of unknown rate, a chip that cannot be told. Weak: a port's own definitions win.
#include "ports/port.h"

namespace tinyhil::port {

__attribute__((weak)) uint32_t ReceiveBytes() { return 0; }
__attribute__((weak)) bool CanBaud(uint32_t) { return false; }
__attribute__((weak)) void SetBaud(uint32_t) {}
__attribute__((weak)) uint64_t Microseconds() { return 0; }
__attribute__((weak)) uint32_t CounterHz() { return 0; }
__attribute__((weak)) uint32_t SocId() { return 0; }

}  // namespace tinyhil::port
