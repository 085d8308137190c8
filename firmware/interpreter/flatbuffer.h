// SPDX-License-Identifier: Apache-2.0
// FlatBuffer access in place, with every offset, length and alignment checked before use.
//
// A Reader holds the bytes and the first error. Reads after an error return zeros and empty vectors, so callers
// check once, at the end of what they read. Scope names the field being read; the names on the way down
// become the error's path.
//
// Limits: files below 2 GiB, on a 4-byte aligned address, on a little-endian machine.
#ifndef TINYHIL_INTERPRETER_FLATBUFFER_H_
#define TINYHIL_INTERPRETER_FLATBUFFER_H_

#include <stdint.h>

#include "interpreter/error.h"

namespace tinyhil {

class Reader {
 public:
  Reader() = default;
  Reader(const uint8_t* base, uint32_t size) : base_(base), size_(size) {}

  const uint8_t* base() const { return base_; }
  uint32_t size() const { return size_; }
  bool ok() const { return error_.ok(); }
  const Error& error() const { return error_; }

  // Records the first error: at the current path plus `field` (null: the path itself). Always returns false.
  bool Fail(Code code, const char* field, const char* detail, uint32_t got = 0, uint32_t want = 0, int32_t index = -1);

  // True if `count` elements of `element` bytes lie at `offset` within the file.
  bool Contains(uint32_t offset, uint32_t count, uint32_t element) const {
    return offset <= size_ && count <= (size_ - offset) / element;
  }

 private:
  friend class Scope;
  const uint8_t* base_ = nullptr;
  uint32_t size_ = 0;
  Error error_;
};

// Names a step of the path for as long as it lives.
class Scope {
 public:
  Scope(Reader& reader, const char* name, int32_t index = -1);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Reader& reader_;
  bool pushed_ = false;
};

// A vector whose elements lie within the file. `offset` is that of the first element.
struct Vector {
  uint32_t offset = 0;
  uint32_t count = 0;
  bool present = false;
};

class Table {
 public:
  Table() = default;

  // The table at `offset`; fails where table or vtable leave the file or are misaligned.
  static Table At(Reader& reader, uint32_t offset, const char* field);
  static Table Root(Reader& reader);

  explicit operator bool() const { return reader_ != nullptr; }

  // A scalar field, or `absent` where the file leaves it out.
  uint8_t U8(uint16_t id, const char* field, uint8_t absent) const;
  int32_t I32(uint16_t id, const char* field, int32_t absent) const;
  uint32_t U32(uint16_t id, const char* field, uint32_t absent) const;
  uint64_t U64(uint16_t id, const char* field, uint64_t absent) const;
  float F32(uint16_t id, const char* field, float absent) const;

  Vector VectorOf(uint16_t id, const char* field, uint32_t element_bytes) const;
  Table Child(uint16_t id, const char* field) const;                             // absent: false
  Table Element(const Vector& tables, uint32_t index, const char* field) const;  // index < tables.count

  bool Has(uint16_t id) const { return FieldOffset(id) != 0; }

 private:
  uint32_t FieldOffset(uint16_t id) const;  // within the table; 0: absent
  bool Scalar(uint16_t id, const char* field, uint32_t bytes, uint32_t* offset) const;
  uint32_t Follow(uint32_t at, const char* field) const;  // the target of the offset stored at `at`; 0 after a failure

  Reader* reader_ = nullptr;
  uint32_t offset_ = 0;
  uint32_t vtable_ = 0;
  uint16_t vtable_bytes_ = 0;
  uint16_t table_bytes_ = 0;
};

inline uint16_t LoadU16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
inline uint32_t LoadU32(const uint8_t* p) {
  uint32_t value;
  __builtin_memcpy(&value, __builtin_assume_aligned(p, 4), 4);
  return value;
}

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_FLATBUFFER_H_
