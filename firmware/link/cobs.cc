// SPDX-License-Identifier: Apache-2.0
#include "link/cobs.h"

namespace tinyhil {
namespace {

constexpr uint32_t kLongestRun = 254;  // bytes of one block

}  // namespace

void CobsDecoder::Start(uint8_t* out, uint32_t capacity) {
  out_ = out;
  capacity_ = capacity;
  size_ = 0;
  left_in_block_ = 0;
  zero_follows_ = false;
  started_ = false;
  overflowed_ = false;
}

void CobsDecoder::Put(uint8_t byte) {
  if (size_ == capacity_) {
    overflowed_ = true;
  } else {
    out_[size_++] = byte;
  }
}

void CobsDecoder::Feed(uint8_t byte) {
  if (left_in_block_ != 0) {
    --left_in_block_;
    Put(byte);
    return;
  }
  if (zero_follows_) Put(0);
  started_ = true;
  left_in_block_ = static_cast<uint8_t>(byte - 1);
  zero_follows_ = byte != 0xFF;
}

void CobsEncoder::Put(uint8_t byte) {
  if (used_ == sizeof(buffer_)) Flush();
  buffer_[used_++] = byte;
}

void CobsEncoder::Flush() {
  write_(buffer_, used_);
  used_ = 0;
}

void CobsEncoder::WriteFrame(const uint8_t* data, uint32_t size) {
  Put(0);
  bool zero_follows = true;  // the end of the data counts as a zero that is left out
  while (size != 0 || zero_follows) {
    const uint32_t longest = size < kLongestRun ? size : kLongestRun;
    uint32_t run = 0;
    while (run < longest && data[run] != 0) ++run;
    Put(static_cast<uint8_t>(run + 1));
    for (uint32_t i = 0; i < run; ++i) Put(data[i]);
    data += run;
    size -= run;
    zero_follows = run < kLongestRun && size != 0;
    if (zero_follows) {
      ++data;
      --size;
    }
  }
  Put(0);
  Flush();
}

}  // namespace tinyhil
