// SPDX-License-Identifier: Apache-2.0
// All of libc that an image has: what compilers call on their own, and two string functions. Kept here so that an
// image's size and its instruction counts do not hang on the libc a toolchain came with.
//
// Copies go word by word where the core or both ends allow it (kernels copy whole rows through memcpy), four words a
// turn.
#include <stddef.h>
#include <stdint.h>

// A loop in memcpy must not be compiled into a call of memcpy.
#pragma GCC optimize("no-tree-loop-distribute-patterns,no-schedule-insns,no-schedule-insns2")

namespace {

using Word __attribute__((may_alias)) = uint32_t;

using AnyWord __attribute__((may_alias, aligned(1))) = uint32_t;
using AnyHalf __attribute__((may_alias, aligned(1))) = uint16_t;

// The barrier keeps the pointers, which step with the copy, from becoming sums of a base and a counter.
template <typename T>
[[gnu::always_inline]] inline void CopyNext(uint8_t*& to, const uint8_t*& from) {
  *reinterpret_cast<T*>(to) = *reinterpret_cast<const T*>(from);
  to += sizeof(T);
  from += sizeof(T);
  __asm__("" : "+r"(to), "+r"(from));
}

bool Aligned(const void* a, const void* b) {
  return ((reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b)) & 3) == 0;
}

}  // namespace

extern "C" {

#ifdef __ARM_FEATURE_UNALIGNED
// Words wherever they lie, which the core can (Armv7-M and later): 26 instructions for 16 bytes. Libraries copy the few
// bytes of a pixel at a time.
void* memcpy(void* __restrict destination, const void* __restrict source, size_t size) {
  uint8_t* to = static_cast<uint8_t*>(destination);
  const uint8_t* from = static_cast<const uint8_t*>(source);
  for (; size >= 16; size -= 16) {
    CopyNext<AnyWord>(to, from);
    CopyNext<AnyWord>(to, from);
    CopyNext<AnyWord>(to, from);
    CopyNext<AnyWord>(to, from);
  }
  if (size >= 4) {
    if ((size & 8) != 0) {
      CopyNext<AnyWord>(to, from);
      CopyNext<AnyWord>(to, from);
    }
    if ((size & 4) != 0) CopyNext<AnyWord>(to, from);
  }
  if ((size & 2) != 0) CopyNext<AnyHalf>(to, from);
  if ((size & 1) != 0) *to = *from;
  return destination;
}
#else
void* memcpy(void* __restrict destination, const void* __restrict source, size_t size) {
  uint8_t* to = static_cast<uint8_t*>(destination);
  const uint8_t* from = static_cast<const uint8_t*>(source);
  if (((reinterpret_cast<uintptr_t>(to) ^ reinterpret_cast<uintptr_t>(from)) & 3) == 0 && size >= 8) {
    for (; (reinterpret_cast<uintptr_t>(to) & 3) != 0; --size) *to++ = *from++;
    for (; size >= 16; size -= 16, to += 16, from += 16) {
      Word* out = reinterpret_cast<Word*>(to);
      const Word* in = reinterpret_cast<const Word*>(from);
      const uint32_t a = in[0], b = in[1], c = in[2], d = in[3];
      out[0] = a;
      out[1] = b;
      out[2] = c;
      out[3] = d;
    }
    for (; size >= 4; size -= 4, to += 4, from += 4) {
      *reinterpret_cast<Word*>(to) = *reinterpret_cast<const Word*>(from);
    }
  }
  for (; size != 0; --size) *to++ = *from++;
  return destination;
}
#endif

void* memmove(void* destination, const void* source, size_t size) {
  uint8_t* to = static_cast<uint8_t*>(destination);
  const uint8_t* from = static_cast<const uint8_t*>(source);
  if (reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from) >= size) return memcpy(to, from, size);
  to += size;
  from += size;
  if (Aligned(to, from)) {
    for (; size >= 4; size -= 4) {
      to -= 4;
      from -= 4;
      *reinterpret_cast<Word*>(to) = *reinterpret_cast<const Word*>(from);
    }
  }
  for (; size != 0; --size) *--to = *--from;
  return destination;
}

void* memset(void* destination, int value, size_t size) {
  uint8_t* to = static_cast<uint8_t*>(destination);
  const uint8_t byte = static_cast<uint8_t>(value);
  if (size >= 8) {
    const uint32_t word = byte * 0x01010101u;
    for (; (reinterpret_cast<uintptr_t>(to) & 3) != 0; --size) *to++ = byte;
    for (; size >= 16; size -= 16, to += 16) {
      Word* out = reinterpret_cast<Word*>(to);
      out[0] = word;
      out[1] = word;
      out[2] = word;
      out[3] = word;
    }
    for (; size >= 4; size -= 4, to += 4) *reinterpret_cast<Word*>(to) = word;
  }
  for (; size != 0; --size) *to++ = byte;
  return destination;
}

int memcmp(const void* a, const void* b, size_t size) {
  const uint8_t* left = static_cast<const uint8_t*>(a);
  const uint8_t* right = static_cast<const uint8_t*>(b);
  for (; size != 0; --size, ++left, ++right) {
    if (*left != *right) return *left - *right;
  }
  return 0;
}

size_t strlen(const char* text) {
  const char* end = text;
  while (*end != '\0') ++end;
  return static_cast<size_t>(end - text);
}

int strcmp(const char* a, const char* b) {
  for (; *a != '\0' && *a == *b; ++a, ++b) {
  }
  return static_cast<uint8_t>(*a) - static_cast<uint8_t>(*b);
}

}  // extern "C"
