// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers in and out of a byte buffer, every length checked. Reading past the end gives 0 and spoils
// ok(); writing past the end writes nothing and spoils ok().
#ifndef TINYHIL_LINK_PAYLOAD_H_
#define TINYHIL_LINK_PAYLOAD_H_

#include <stdint.h>
#include <string.h>

namespace tinyhil {

inline uint16_t FetchU16(const uint8_t* at) { return static_cast<uint16_t>(at[0] | (at[1] << 8)); }

inline uint32_t FetchU32(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) | (static_cast<uint32_t>(at[1]) << 8) | (static_cast<uint32_t>(at[2]) << 16) |
         (static_cast<uint32_t>(at[3]) << 24);
}

inline void StoreU16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value);
  at[1] = static_cast<uint8_t>(value >> 8);
}

inline void StoreU32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> (8 * i));
}

class PayloadReader {
 public:
  PayloadReader(const uint8_t* data, uint32_t size) : at_(data), left_(size) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && left_ == 0; }
  uint32_t left() const { return left_; }

  uint8_t U8() {
    const uint8_t* byte = Bytes(1);
    return byte != nullptr ? *byte : uint8_t{0};
  }
  uint32_t U32() {
    const uint8_t* bytes = Bytes(4);
    return bytes != nullptr ? FetchU32(bytes) : 0;
  }
  // Null where fewer are left.
  const uint8_t* Bytes(uint32_t size) {
    if (size > left_) {
      ok_ = false;
      left_ = 0;
      return nullptr;
    }
    const uint8_t* bytes = at_;
    at_ += size;
    left_ -= size;
    return bytes;
  }

 private:
  const uint8_t* at_;
  uint32_t left_;
  bool ok_ = true;
};

class PayloadWriter {
 public:
  PayloadWriter(uint8_t* data, uint32_t capacity) : data_(data), capacity_(capacity) {}

  bool ok() const { return ok_; }
  uint32_t size() const { return size_; }
  uint32_t left() const { return capacity_ - size_; }

  void U8(uint8_t value) { Put(&value, 1); }
  void U16(uint16_t value) {
    uint8_t bytes[2];
    StoreU16(bytes, value);
    Put(bytes, sizeof(bytes));
  }
  void U32(uint32_t value) {
    uint8_t bytes[4];
    StoreU32(bytes, value);
    Put(bytes, sizeof(bytes));
  }
  void U64(uint64_t value) {
    U32(static_cast<uint32_t>(value));
    U32(static_cast<uint32_t>(value >> 32));
  }
  void Put(const void* bytes, uint32_t size) {
    if (size > left()) {
      ok_ = false;
    } else if (size != 0) {
      memcpy(data_ + size_, bytes, size);
      size_ += size;
    }
  }
  // Puts `value` where U32 put another, `at` bytes from the start.
  void ReplaceU32(uint32_t at, uint32_t value) {
    if (at <= size_ && size_ - at >= 4) StoreU32(data_ + at, value);
  }

 private:
  uint8_t* data_;
  uint32_t capacity_;
  uint32_t size_ = 0;
  bool ok_ = true;
};

}  // namespace tinyhil

#endif  // TINYHIL_LINK_PAYLOAD_H_
