// SPDX-License-Identifier: Apache-2.0
#include "link/crc32.h"

namespace tinyhil {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320;

struct Table {
  uint32_t entry[256];
};

constexpr Table MakeTable() {
  Table table = {};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ kPolynomial : value >> 1;
    table.entry[i] = value;
  }
  return table;
}

constexpr Table kTable = MakeTable();

}  // namespace

uint32_t Crc32(uint32_t crc, const void* data, uint32_t size) {
  const uint8_t* byte = static_cast<const uint8_t*>(data);
  crc = ~crc;
  for (; size != 0; --size) crc = kTable.entry[(crc ^ *byte++) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

}  // namespace tinyhil
