// SPDX-License-Identifier: Apache-2.0
// Tells frames from text on one stream of bytes, and gives up on neither after a lost, flipped or inserted byte.
//
// A zero ends whatever there was and opens a frame. A frame's first byte after it is always 2 (kFrameStart: the type is
// not zero, the status of a request is), a text's never; so a person can type right after a frame, and a closing zero
// may be the next frame's opening one. Text ends with CR, LF or '%'. A frame that stays open is ended by Pause().
//
// RAM: one buffer of kFrameBytes, which frames and text share, as only one of them is being received. Text: at most
// kMaxLine characters; a longer line, or one with bytes that are not printable, is reported as kBadLine.
#ifndef TINYHIL_LINK_RECEIVER_H_
#define TINYHIL_LINK_RECEIVER_H_

#include <stdint.h>

#include "link/cobs.h"
#include "link/protocol.h"

namespace tinyhil {

struct Header {
  uint8_t type;
  uint8_t status;
  uint16_t seq;
  uint32_t session;
};

class Receiver {
 public:
  static constexpr uint32_t kMaxLine = 255;

  enum class Event : uint8_t {
    kNone,
    kFrame,    // header() and payload() hold a frame whose CRC-32 is right
    kDamaged,  // something between zeros was no frame
    kLine,     // line() holds a command
    kBadLine,
  };

  Event Feed(uint8_t byte);

  // Nothing came for a long time: what is open is dropped. True where it was a frame.
  bool Pause();
  // Whether a frame has begun and not ended.
  bool InFrame() const { return state_ == State::kFrame; }

  const Header& header() const { return header_; }
  const uint8_t* payload() const { return buffer_ + kHeaderBytes; }
  uint32_t payload_size() const { return payload_size_; }
  uint8_t* buffer() { return buffer_; }                      // kFrameBytes
  char* line() { return reinterpret_cast<char*>(buffer_); }  // ends with a zero; may be changed

 private:
  enum class State : uint8_t { kText, kFresh, kFrame };  // kFresh: the last byte was a zero

  static constexpr uint8_t kFrameStart = 2;

  Event EndFrame();
  Event FeedText(uint8_t byte);

  State state_ = State::kText;
  bool line_spoilt_ = false;
  uint32_t line_size_ = 0;
  uint32_t payload_size_ = 0;
  Header header_ = {};
  CobsDecoder decoder_;
  uint8_t buffer_[kFrameBytes] = {};
};

}  // namespace tinyhil

#endif  // TINYHIL_LINK_RECEIVER_H_
