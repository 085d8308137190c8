// SPDX-License-Identifier: Apache-2.0
// What went wrong, and in which field: the one error type of the firmware.
//
// An Error is a code, a path of static names and indices (subgraphs[0].operators[3].inputs), and two
// numbers. Nothing is formatted here; the link turns it into text. Codes are part of the wire protocol
// (firmware/link/README.md): never renumber one.
#ifndef TINYHIL_INTERPRETER_ERROR_H_
#define TINYHIL_INTERPRETER_ERROR_H_

#include <stdint.h>

namespace tinyhil {

enum class Code : uint8_t {
  kOk = 0,
  // The model.
  kNotTflite = 1,         // the file identifier is not TFL3
  kModelMalformed = 2,    // an offset, a length or a value contradicts the file
  kModelUnsupported = 3,  // well-formed, but a type, shape or parameter has no implementation
  kOpUnsupported = 4,     // no operator of that code or name is registered in this image
  kArenaTooSmall = 5,     // want: bytes needed, got: bytes there
  // The model slot.
  kSlotEmpty = 6,       // no slot header
  kSlotMisaligned = 7,  // the slot does not start on a 16-byte boundary
  kSlotTooLong = 8,     // want: bytes needed, got: bytes of the slot
  kSlotCrc = 9,         // want: CRC-32 in the header, got: CRC-32 of the bytes
  kSlotReadOnly = 10,   // the slot cannot be written over the link on this board
  // Using the engine.
  kNoModel = 11,   // no model is loaded
  kBadIndex = 12,  // no such input, output or operator; want: how many there are
  kBadRange = 13,  // outside the tensor or slot; want: its bytes
  kInputCrc = 14,  // the bytes in the input tensor are not those the host announced
  kBusy = 15,      // the engine refused to run again (an earlier failure)
  // The link.
  kUnknownRequest = 32,
  kBadRequest = 33,    // the request is shorter or longer than its kind allows
  kWrongSession = 34,  // the device restarted, or another host opened it
};

struct Error {
  static constexpr int kMaxDepth = 6;
  struct Step {
    const char* name;  // static text
    int32_t index;     // -1: none
  };

  Code code = Code::kOk;
  uint8_t depth = 0;             // steps in use
  bool want_is_minimum = false;  // want is a lower bound, not the exact number
  const char* detail = nullptr;  // static text: what was expected; may be null
  uint32_t want = 0;
  uint32_t got = 0;
  Step path[kMaxDepth] = {};

  bool ok() const { return code == Code::kOk; }
};

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_ERROR_H_
