// SPDX-License-Identifier: Apache-2.0
// Numbers of the wire protocol, explained in README.md. scripts/tinyhil/link/protocol.py has the same.
#ifndef TINYHIL_LINK_PROTOCOL_H_
#define TINYHIL_LINK_PROTOCOL_H_

#include <stdint.h>

namespace tinyhil {

constexpr uint32_t kProtocolVersion = 1;
constexpr uint32_t kMaxPayload = 1024;  // bytes of one frame, either way
constexpr uint32_t kHeaderBytes = 8;
constexpr uint32_t kFrameBytes = kHeaderBytes + kMaxPayload + 4;  // with its CRC-32, before COBS

// A request's type; its reply has kReply added.
enum class Request : uint8_t {
  kOpen = 1,
  kInfo = 2,
  kSlotWrite = 3,
  kSlotCheck = 4,
  kLoad = 5,
  kTensor = 6,
  kOps = 7,
  kInputWrite = 8,
  kRun = 9,
  kOutputRead = 10,
  kChecksums = 11,
  kProfile = 12,
  kMemory = 13,
  kReset = 14,
  kPaths = 15,
  kBreak = 16,
  kStep = 17,
  kOpTensor = 18,
  kOpRead = 19,
  kOpWrite = 20,
  kSlotCrc = 21,
  kBaud = 24,
  kEcho = 25,
  kProgress = 26,  // never requested: the device sends it on its own
  kDamaged = 27,   // never requested: the device sends it on its own
  kFault = 0x7F,   // never requested: the device sends it on its own
};
constexpr uint8_t kReply = 0x80;

// RUN: what is asked for, and in the reply what is there.
constexpr uint32_t kRunChecksums = 1u << 0;
constexpr uint32_t kRunProfile = 1u << 1;
constexpr uint32_t kRunInput = 1u << 2;      // all inputs follow in the request
constexpr uint32_t kRunOutput = 1u << 3;     // all outputs follow in the reply
constexpr uint32_t kRunTicks = 1u << 4;      // reply only: ticks are those of the plain inference
constexpr uint32_t kRunKeepState = 1u << 5;  // variables are as the last inference left them, not as after LOAD
constexpr uint32_t kRunProgress = 1u << 6;   // a frame before each operator

}  // namespace tinyhil

#endif  // TINYHIL_LINK_PROTOCOL_H_
