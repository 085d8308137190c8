// SPDX-License-Identifier: Apache-2.0
// Bytes between an interrupt and the application: one puts, one gets, and neither needs a lock.
//
// RAM: kBytes, and eight more. Counts run on and wrap with their type. A byte that finds no room is lost.
#ifndef TINYHIL_PORTS_RING_H_
#define TINYHIL_PORTS_RING_H_

#include <stdint.h>

namespace tinyhil::port {

template <uint32_t kBytes>
class Ring {
  static_assert(kBytes != 0 && (kBytes & (kBytes - 1)) == 0, "a ring's bytes are a power of two");

 public:
  bool Put(uint8_t byte) {
    if (Full()) return false;
    bytes_[put_ % kBytes] = byte;
    __asm__ volatile("" ::: "memory");
    put_ = put_ + 1;
    return true;
  }

  // The next byte, which stays; -1: there is none.
  int Front() const { return put_ == got_ ? -1 : bytes_[got_ % kBytes]; }

  int Get() {
    const int byte = Front();
    if (byte < 0) return -1;
    __asm__ volatile("" ::: "memory");
    got_ = got_ + 1;
    return byte;
  }

  bool Full() const { return put_ - got_ == kBytes; }

 private:
  volatile uint32_t put_ = 0;
  volatile uint32_t got_ = 0;
  uint8_t bytes_[kBytes] = {};
};

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_RING_H_
