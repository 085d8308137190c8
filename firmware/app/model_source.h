// SPDX-License-Identifier: Apache-2.0
// Where the model comes from: linked into a bundled image, or the model slot. The rest of the application sees bytes.
//
// The slot starts with a header of 64 bytes, little-endian, and the model follows it:
//   "THSL" | u32 version = 1 | u32 header bytes = 64 | u32 model bytes | u32 CRC-32 of the model | u32 benchmark |
//   32 bytes SHA-256 of the model | u32 0 | u32 CRC-32 of the 60 bytes before
// benchmark: which of MLPerf Tiny's the model stands for: 0 none, 1 kws01, 2 ic01, 3 vww01, 4 ad01.
// It is verified before anything reads the model, and again each time the model is asked for. The SHA-256 is carried
// for the host, not computed here. scripts/tinyhil/slot.py writes the header.
#ifndef TINYHIL_APP_MODEL_SOURCE_H_
#define TINYHIL_APP_MODEL_SOURCE_H_

#include <stdint.h>

#include "interpreter/error.h"
#include "ports/port.h"

// The build makes both for every image; in a slot image there are 0 bytes.
extern "C" {
extern const uint8_t tinyhil_bundled_model[];
extern const uint32_t tinyhil_bundled_model_bytes;
}

namespace tinyhil {

constexpr uint32_t kSlotHeaderBytes = 64;
constexpr uint32_t kSha256Bytes = 32;

struct ModelBytes {
  const uint8_t* data = nullptr;
  uint32_t size = 0;
  uint32_t crc = 0;
  const uint8_t* sha256 = nullptr;  // as the header has it; null for a bundled model
  uint32_t benchmark = 0;           // likewise; 0 for a bundled model
};

// The model of this image, verified.
Error FindModel(ModelBytes* model);

// The same for any slot.
Error CheckSlot(const port::Region& slot, ModelBytes* model);

// Writes into the slot. What was loaded from it must not run any more.
Error WriteSlot(uint32_t offset, const uint8_t* data, uint32_t size);

}  // namespace tinyhil

#endif  // TINYHIL_APP_MODEL_SOURCE_H_
