// SPDX-License-Identifier: Apache-2.0
#include "link/receiver.h"

#include "link/crc32.h"
#include "link/payload.h"

namespace tinyhil {
namespace {

constexpr uint32_t kCrcBytes = 4;
constexpr uint8_t kBackspace = 8;
constexpr uint8_t kDelete = 127;

bool Printable(uint8_t byte) { return (byte >= ' ' && byte < kDelete) || byte == '\t'; }

}  // namespace

Receiver::Event Receiver::Feed(uint8_t byte) {
  if (byte == 0) {
    const bool was_frame = state_ == State::kFrame;
    const bool was_text = state_ == State::kText && (line_size_ != 0 || line_spoilt_);
    state_ = State::kFresh;
    line_size_ = 0;
    line_spoilt_ = false;
    if (was_frame) return EndFrame();
    return was_text ? Event::kDamaged : Event::kNone;
  }
  if (state_ == State::kFresh) {
    if (byte == kFrameStart) {
      state_ = State::kFrame;
      decoder_.Start(buffer_, sizeof(buffer_));
    } else {
      state_ = State::kText;
    }
  }
  if (state_ == State::kFrame) {
    decoder_.Feed(byte);
    return Event::kNone;
  }
  return FeedText(byte);
}

Receiver::Event Receiver::EndFrame() {
  const uint32_t size = decoder_.size();
  if (!decoder_.Complete() || size < kHeaderBytes + kCrcBytes) return Event::kDamaged;
  const uint32_t covered = size - kCrcBytes;
  if (Crc32(0, buffer_, covered) != FetchU32(buffer_ + covered)) return Event::kDamaged;
  header_ = {buffer_[0], buffer_[1], FetchU16(buffer_ + 2), FetchU32(buffer_ + 4)};
  payload_size_ = covered - kHeaderBytes;
  return Event::kFrame;
}

Receiver::Event Receiver::FeedText(uint8_t byte) {
  if (byte == '\r' || byte == '\n' || byte == '%') {
    const bool empty = line_size_ == 0;
    const bool spoilt = line_spoilt_;
    buffer_[line_size_] = 0;
    line_size_ = 0;
    line_spoilt_ = false;
    if (spoilt) return Event::kBadLine;
    return empty ? Event::kNone : Event::kLine;
  }
  if (byte == kBackspace || byte == kDelete) {
    if (line_size_ != 0) --line_size_;
  } else if (!Printable(byte) || line_size_ == kMaxLine) {
    line_spoilt_ = true;
  } else {
    buffer_[line_size_++] = byte;
  }
  return Event::kNone;
}

bool Receiver::Pause() {
  const bool was_frame = state_ == State::kFrame;
  state_ = State::kText;
  return was_frame;
}

}  // namespace tinyhil
