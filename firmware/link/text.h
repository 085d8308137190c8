// SPDX-License-Identifier: Apache-2.0
// The text language: words, numbers, and a checksum at the end of a line in both directions.
//
// "hil mem *1a2b3c4d": the eight hexadecimal digits are the CRC-32 of all before the last " *". "*?" in their place
// says that whoever typed it takes the risk. Lines that do not fit a LineWriter (kCapacity characters) are cut.
#ifndef TINYHIL_LINK_TEXT_H_
#define TINYHIL_LINK_TEXT_H_

#include <stdint.h>

#include "link/cobs.h"

namespace tinyhil {

enum class Checksum : uint8_t { kMissing, kWrong, kRight, kWaived };

// Cuts the checksum off the line and says what it was.
Checksum TakeChecksum(char* line);

// The words of a line, one after the other; spaces and tabs part them. The line is changed: each word ends with a zero.
class Words {
 public:
  explicit Words(char* line) : at_(line) {}
  const char* Next();  // null past the last

 private:
  char* at_;
};

// Decimal, or hexadecimal after 0x. False unless all of `text` is one number of 32 bits.
bool ParseNumber(const char* text, uint32_t* value);
// Exactly eight hexadecimal digits.
bool ParseCrc(const char* text, uint32_t* value);
// Pairs of hexadecimal digits. False where the digits are odd, not hexadecimal, or more than `capacity` bytes.
bool ParseBytes(const char* text, uint8_t* bytes, uint32_t capacity, uint32_t* size);

class LineWriter {
 public:
  static constexpr uint32_t kCapacity = 239;

  LineWriter& Text(const char* text);
  LineWriter& Number(uint32_t value) { return Number(uint64_t{value}); }
  LineWriter& Number(uint64_t value);
  LineWriter& Signed(int32_t value);
  LineWriter& Hex8(uint32_t value);  // eight digits
  LineWriter& HexByte(uint8_t value);
  LineWriter& Character(char c);

  const char* text() const { return text_; }
  uint32_t size() const { return size_; }

  // With CR and LF; Checked first adds the checksum.
  void Write(WriteBytes write);
  void WriteChecked(WriteBytes write);

 private:
  static constexpr uint32_t kTail = 12;  // " *" and eight digits, CR, LF

  void Append(char c);

  uint32_t size_ = 0;
  char text_[kCapacity + kTail + 1] = {};
};

}  // namespace tinyhil

#endif  // TINYHIL_LINK_TEXT_H_
