// SPDX-License-Identifier: Apache-2.0
#include "app/model_source.h"

#include <string.h>

#include "link/crc32.h"
#include "link/payload.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMagic = 0x4C534854;  // "THSL"
constexpr uint32_t kVersion = 1;
constexpr uint32_t kAlignment = 16;

// Places in the header.
constexpr uint32_t kVersionAt = 4;
constexpr uint32_t kHeaderBytesAt = 8;
constexpr uint32_t kModelBytesAt = 12;
constexpr uint32_t kModelCrcAt = 16;
constexpr uint32_t kBenchmarkAt = 20;
constexpr uint32_t kSha256At = 24;
constexpr uint32_t kHeaderCrcAt = 60;

Error Refuse(Code code, const char* field, const char* detail, uint32_t want = 0, uint32_t got = 0) {
  Error error;
  error.code = code;
  error.detail = detail;
  error.want = want;
  error.got = got;
  error.path[error.depth++] = {"slot", -1};
  if (field != nullptr) error.path[error.depth++] = {field, -1};
  return error;
}

}  // namespace

Error CheckSlot(const port::Region& slot, ModelBytes* model) {
  const uint32_t misaligned = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(slot.base) % kAlignment);
  if (misaligned != 0) {
    return Refuse(Code::kSlotMisaligned, nullptr, "the slot does not start on a 16-byte boundary", 0, misaligned);
  }
  if (slot.bytes < kSlotHeaderBytes) {
    return Refuse(Code::kSlotEmpty, nullptr, "shorter than a slot header", kSlotHeaderBytes, slot.bytes);
  }
  const uint8_t* header = slot.base;
  if (FetchU32(header) != kMagic)
    return Refuse(Code::kSlotEmpty, "magic", "no model was put here", kMagic, FetchU32(header));
  const uint32_t crc = Crc32(0, header, kHeaderCrcAt);
  if (crc != FetchU32(header + kHeaderCrcAt)) {
    return Refuse(Code::kSlotCrc, "header", "CRC-32 of the header", FetchU32(header + kHeaderCrcAt), crc);
  }
  if (FetchU32(header + kVersionAt) != kVersion || FetchU32(header + kHeaderBytesAt) != kSlotHeaderBytes) {
    return Refuse(Code::kSlotEmpty, "version", "a header of another version", kVersion, FetchU32(header + kVersionAt));
  }
  const uint32_t size = FetchU32(header + kModelBytesAt);
  if (size > slot.bytes - kSlotHeaderBytes) {
    return Refuse(Code::kSlotTooLong, "model", "longer than the slot", size, slot.bytes - kSlotHeaderBytes);
  }
  const uint32_t want = FetchU32(header + kModelCrcAt);
  const uint32_t got = Crc32(0, header + kSlotHeaderBytes, size);
  if (got != want) return Refuse(Code::kSlotCrc, "model", "CRC-32 of the model", want, got);
  *model = {header + kSlotHeaderBytes, size, got, header + kSha256At, FetchU32(header + kBenchmarkAt)};
  return {};
}

Error FindModel(ModelBytes* model) {
  const uint32_t bundled_bytes = tinyhil_bundled_model_bytes;
  if (bundled_bytes == 0) return CheckSlot(port::ModelSlot(), model);
  *model = {tinyhil_bundled_model, bundled_bytes, Crc32(0, tinyhil_bundled_model, bundled_bytes), nullptr, 0};
  return {};
}

Error WriteSlot(uint32_t offset, const uint8_t* data, uint32_t size) {
  const port::Region slot = port::ModelSlot();
  if (slot.bytes == 0 || !port::ModelSlotWritable()) {
    return Refuse(Code::kSlotReadOnly, nullptr, "cannot be written over the link");
  }
  if (offset > slot.bytes || size > slot.bytes - offset) {
    return Refuse(Code::kBadRange, nullptr, "outside the slot", slot.bytes, offset);
  }
  if (size != 0) memcpy(slot.base + offset, data, size);
  return {};
}

}  // namespace tinyhil
