// SPDX-License-Identifier: Apache-2.0
// What others' C++ names and nothing here ever calls: there is no heap, and no object is destroyed through its base.
// Reaching one is a fault with the program counter here. An image that names none of it links none of it.
#include <stddef.h>

extern "C" {

[[noreturn]] void abort() { __builtin_trap(); }

[[noreturn]] void __cxa_pure_virtual() { __builtin_trap(); }

// A C library's mathematics sets it; its own would bring a kilobyte of state along.
int* __errno() {
  static int value;
  return &value;
}

}  // extern "C"

void operator delete(void*) noexcept { __builtin_trap(); }

void operator delete(void*, size_t) noexcept { __builtin_trap(); }
