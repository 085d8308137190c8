// SPDX-License-Identifier: Apache-2.0
// The firmware's end of the link as a host process, for tests under the sanitizers.
//
// stdin, repeated: u8 what, u32 size, bytes. stdout for each: u32 size, bytes. What is what: see main().
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "app/error_text.h"
#include "app/model_source.h"
#include "link/cobs.h"
#include "link/crc32.h"
#include "link/payload.h"
#include "link/receiver.h"
#include "link/text.h"

using namespace tinyhil;

extern "C" {
extern const uint8_t tinyhil_bundled_model[] = {0};
extern const uint32_t tinyhil_bundled_model_bytes = 0;
}

namespace tinyhil::port {
Region ModelSlot() { return {nullptr, 0}; }
bool ModelSlotWritable() { return false; }
}  // namespace tinyhil::port

namespace {

std::string written;

void Write(const uint8_t* data, uint32_t size) { written.append(reinterpret_cast<const char*>(data), size); }

std::string Hex(const uint8_t* data, uint32_t size) {
  std::string text;
  char pair[3];
  for (uint32_t i = 0; i < size; ++i) {
    snprintf(pair, sizeof(pair), "%02x", data[i]);
    text += pair;
  }
  return text;
}

// A line for each event. u32 pause_at: after so many bytes nothing comes for long.
std::string Receive(const std::vector<uint8_t>& input) {
  Receiver receiver;
  const uint32_t pause_at = FetchU32(input.data());
  std::string said;
  for (size_t i = 4; i < input.size(); ++i) {
    if (i - 4 == pause_at) said += receiver.Pause() ? "gave up a frame\n" : "gave up nothing\n";
    switch (receiver.Feed(input[i])) {
      case Receiver::Event::kNone:
        break;
      case Receiver::Event::kFrame: {
        const Header& header = receiver.header();
        said += "frame " + std::to_string(header.type) + " " + std::to_string(header.status) + " " +
                std::to_string(header.seq) + " " + std::to_string(header.session) + " " +
                Hex(receiver.payload(), receiver.payload_size()) + "\n";
        break;
      }
      case Receiver::Event::kDamaged:
        said += "damaged\n";
        break;
      case Receiver::Event::kLine:
        said += std::string("line ") + receiver.line() + "\n";
        break;
      case Receiver::Event::kBadLine:
        said += "bad line\n";
        break;
    }
  }
  return said;
}

std::string Parse(char* line) {
  static const char* const kChecksums[] = {"missing", "wrong", "right", "waived"};
  std::string said = std::string(kChecksums[static_cast<int>(TakeChecksum(line))]) + "\n";
  Words words(line);
  while (const char* word = words.Next()) {
    uint32_t value;
    uint32_t size;
    uint8_t bytes[8];
    said += std::string("word ") + word;
    if (ParseNumber(word, &value)) said += " number " + std::to_string(value);
    if (ParseCrc(word, &value)) said += " crc " + std::to_string(value);
    if (ParseBytes(word, bytes, sizeof(bytes), &size)) said += " bytes " + Hex(bytes, size);
    said += "\n";
  }
  return said;
}

// u32 how far the slot lies off a 16-byte boundary, the slot's bytes.
std::string Slot(const std::vector<uint8_t>& input) {
  const uint32_t off = FetchU32(input.data());
  const uint32_t size = static_cast<uint32_t>(input.size()) - 4;
  uint8_t* memory = static_cast<uint8_t*>(malloc(off + size));  // aligned to 16, and ends where the slot does
  memcpy(memory + off, input.data() + 4, size);
  ModelBytes model;
  const Error error = CheckSlot({memory + off, size}, &model);
  std::string said;
  if (error.ok()) {
    said = "model " + std::to_string(model.size) + " " + std::to_string(model.crc) + " " + Hex(model.sha256, 32);
  } else {
    LineWriter path;
    AppendPath(error, path);
    said = "error " + std::to_string(static_cast<int>(error.code)) + " " + path.text() + " " +
           std::to_string(error.want) + " " + std::to_string(error.got);
  }
  free(memory);
  return said;
}

}  // namespace

int main() {
  for (;;) {
    uint8_t head[5];
    if (fread(head, 1, sizeof(head), stdin) != sizeof(head)) return 0;
    std::vector<uint8_t> input(FetchU32(head + 1));
    if (fread(input.data(), 1, input.size(), stdin) != input.size()) return 2;
    std::string text(input.begin(), input.end());
    const uint32_t size = static_cast<uint32_t>(input.size());
    std::string output;
    written.clear();
    switch (head[0]) {
      case 'C':  // CRC-32
        output = std::to_string(Crc32(0, input.data(), size));
        break;
      case 'E': {  // a frame around the bytes
        CobsEncoder encoder(Write);
        encoder.WriteFrame(input.data(), size);
        output = written;
        break;
      }
      case 'R':  // what is received of a stream
        output = Receive(input);
        break;
      case 'P':  // what a line is made of
        output = Parse(text.data());
        break;
      case 'L': {  // a line with its checksum
        LineWriter line;
        line.Text(text.c_str()).WriteChecked(Write);
        output = written;
        break;
      }
      case 'S':  // what a slot holds
        output = Slot(input);
        break;
      default:
        return 3;
    }
    uint8_t length[4];
    StoreU32(length, static_cast<uint32_t>(output.size()));
    fwrite(length, 1, 4, stdout);
    fwrite(output.data(), 1, output.size(), stdout);
    fflush(stdout);
  }
}
