// SPDX-License-Identifier: Apache-2.0
// Consistent Overhead Byte Stuffing: bytes without a zero among them, so that a zero can end a frame whatever it holds.
//
// A block is a code byte c and c - 1 bytes that are not zero; after each block but the last and those of code 255 the
// decoder puts a zero. Costs one byte, and one more for each 254 bytes without a zero. Neither end buffers a frame
// twice: the decoder takes bytes as they arrive, the encoder hands out what its 256-byte buffer holds.
#ifndef TINYHIL_LINK_COBS_H_
#define TINYHIL_LINK_COBS_H_

#include <stdint.h>

namespace tinyhil {

using WriteBytes = void (*)(const uint8_t* data, uint32_t size);

class CobsDecoder {
 public:
  // `out` receives at most `capacity` bytes.
  void Start(uint8_t* out, uint32_t capacity);

  // Takes one byte that is not zero. After a byte too many the rest is dropped and Complete() stays false.
  void Feed(uint8_t byte);

  // Whether the bytes so far end with a block, as they do at a frame's end.
  bool Complete() const { return started_ && !overflowed_ && left_in_block_ == 0; }
  uint32_t size() const { return size_; }

 private:
  void Put(uint8_t byte);

  uint8_t* out_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t size_ = 0;
  uint8_t left_in_block_ = 0;
  bool zero_follows_ = false;
  bool started_ = false;
  bool overflowed_ = false;
};

class CobsEncoder {
 public:
  explicit constexpr CobsEncoder(WriteBytes write) : write_(write) {}

  // A zero, the encoding of `data`, a zero.
  void WriteFrame(const uint8_t* data, uint32_t size);
  // Forgets a frame that was being written.
  void Drop() { used_ = 0; }

 private:
  void Put(uint8_t byte);
  void Flush();

  WriteBytes write_;
  uint32_t used_ = 0;
  uint8_t buffer_[256] = {};
};

}  // namespace tinyhil

#endif  // TINYHIL_LINK_COBS_H_
