// SPDX-License-Identifier: Apache-2.0
#include "link/text.h"

#include <string.h>

#include "link/crc32.h"

namespace tinyhil {
namespace {

constexpr uint32_t kCrcDigits = 8;

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char HexDigit(uint32_t value) { return "0123456789abcdef"[value & 15]; }

bool Blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Checksum TakeChecksum(char* line) {
  uint32_t size = static_cast<uint32_t>(strlen(line));
  while (size != 0 && Blank(line[size - 1])) --size;
  line[size] = '\0';
  uint32_t star = size;
  while (star != 0 && line[star - 1] != '*') --star;
  if (star < 2 || line[star - 2] != ' ') return Checksum::kMissing;
  const char* given = line + star;
  const uint32_t covered = star - 2;
  uint32_t crc;
  Checksum found = Checksum::kWrong;
  if (strcmp(given, "?") == 0) {
    found = Checksum::kWaived;
  } else if (ParseCrc(given, &crc) && crc == Crc32(0, line, covered)) {
    found = Checksum::kRight;
  }
  line[covered] = '\0';
  return found;
}

const char* Words::Next() {
  while (Blank(*at_)) ++at_;
  if (*at_ == '\0') return nullptr;
  const char* word = at_;
  while (*at_ != '\0' && !Blank(*at_)) ++at_;
  if (*at_ != '\0') *at_++ = '\0';
  return word;
}

bool ParseNumber(const char* text, uint32_t* value) {
  uint32_t base = 10;
  if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text += 2;
  }
  if (*text == '\0') return false;
  uint64_t number = 0;
  for (; *text != '\0'; ++text) {
    const int digit = Digit(*text);
    if (digit < 0 || static_cast<uint32_t>(digit) >= base) return false;
    number = number * base + static_cast<uint32_t>(digit);
    if (number > UINT32_MAX) return false;
  }
  *value = static_cast<uint32_t>(number);
  return true;
}

bool ParseCrc(const char* text, uint32_t* value) {
  uint32_t number = 0;
  for (uint32_t i = 0; i < kCrcDigits; ++i) {
    const int digit = Digit(text[i]);
    if (digit < 0) return false;
    number = number << 4 | static_cast<uint32_t>(digit);
  }
  *value = number;
  return text[kCrcDigits] == '\0';
}

bool ParseBytes(const char* text, uint8_t* bytes, uint32_t capacity, uint32_t* size) {
  uint32_t count = 0;
  for (; *text != '\0'; text += 2) {
    const int high = Digit(text[0]);
    const int low = high < 0 ? -1 : Digit(text[1]);
    if (low < 0 || count == capacity) return false;
    bytes[count++] = static_cast<uint8_t>(high << 4 | low);
  }
  *size = count;
  return true;
}

void LineWriter::Append(char c) { text_[size_++] = c; }

LineWriter& LineWriter::Character(char c) {
  if (size_ < kCapacity) Append(c);
  return *this;
}

LineWriter& LineWriter::Text(const char* text) {
  for (; *text != '\0'; ++text) Character(*text);
  return *this;
}

LineWriter& LineWriter::Number(uint64_t value) {
  char digits[20];
  uint32_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count != 0) Character(digits[--count]);
  return *this;
}

LineWriter& LineWriter::Signed(int32_t value) {
  if (value < 0) Character('-');
  return Number(value < 0 ? 0u - static_cast<uint32_t>(value) : static_cast<uint32_t>(value));
}

LineWriter& LineWriter::Hex8(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) Character(HexDigit(value >> shift));
  return *this;
}

LineWriter& LineWriter::HexByte(uint8_t value) { return Character(HexDigit(value >> 4)).Character(HexDigit(value)); }

void LineWriter::Write(WriteBytes write) {
  Append('\r');
  Append('\n');
  write(reinterpret_cast<const uint8_t*>(text_), size_);
}

void LineWriter::WriteChecked(WriteBytes write) {
  const uint32_t crc = Crc32(0, text_, size_);
  Append(' ');
  Append('*');
  for (int shift = 28; shift >= 0; shift -= 4) Append(HexDigit(crc >> shift));
  Write(write);
}

}  // namespace tinyhil
