// SPDX-License-Identifier: Apache-2.0
// One input is what a host sends: a list of pieces, each a byte that says what it is, a byte of length, and bytes.
//   0: as they are. 1: a frame (type, sequence number, payload), to which length and CRC-32 are put right.
//   2: a command line of text, to which checksum and end are added. 3: a pause.
// The application is the firmware's own, its memory a model slot that holds a small model and an arena of 16 KiB.
// Every input starts from a device that was just switched on.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

// For its objects, which are put back before every input.
#include "app/app.cc"
#include "app/build_info.h"

__asm__(
    ".section .rodata.fuzz_model, \"a\"\n.balign 16\n.global fuzz_model\nfuzz_model:\n.incbin \"" TINYHIL_FUZZ_MODEL
    "\"\n.global fuzz_model_end\nfuzz_model_end:\n.byte 0\n.text\n");
extern "C" {
extern const uint8_t fuzz_model[];
extern const uint8_t fuzz_model_end[];
const uint8_t tinyhil_bundled_model[16] = {};
const uint32_t tinyhil_bundled_model_bytes = 0;
}

namespace tinyhil {

const char kBoardName[] = "fuzz";
const char kBuildId[] = "0000000000000000";
const char kVersion[] = "0";
const char kEngine[] = "builtin";
const char kKernels[] = "reference";
const char kImageKind[] = "slot";
const char kCompiler[] = "";

namespace {

constexpr uint32_t kArenaBytes = 16 << 10, kSlotBytes = 8 << 10;
constexpr uint32_t kSession = 0x01020304;

std::vector<uint8_t> sent;
size_t sent_at;
uint32_t silence;
jmp_buf off;

uint8_t* Memory(uint32_t bytes) { return static_cast<uint8_t*>(aligned_alloc(16, bytes)); }

void Switch(const void* from, void* to, uint32_t bytes) { memcpy(to, from, bytes); }

void AddFrame(const uint8_t* data, uint32_t size) {
  uint8_t raw[kFrameBytes] = {};
  raw[0] = size > 0 ? data[0] : 0;
  raw[2] = size > 1 ? data[1] : 0;
  Switch(&kSession, raw + 4, 4);
  const uint32_t payload = size > 2 ? size - 2 : 0;
  if (payload != 0) memcpy(raw + kHeaderBytes, data + 2, payload);
  const uint32_t crc = Crc32(0, raw, kHeaderBytes + payload);
  Switch(&crc, raw + kHeaderBytes + payload, 4);
  CobsEncoder frame([](const uint8_t* bytes, uint32_t count) { sent.insert(sent.end(), bytes, bytes + count); });
  frame.WriteFrame(raw, kHeaderBytes + payload + 4);
}

void AddLine(const uint8_t* data, uint32_t size) {
  const uint32_t crc = Crc32(0, data, size);
  char end[16];
  snprintf(end, sizeof end, " *%08x\r", crc);
  sent.insert(sent.end(), data, data + size);
  sent.insert(sent.end(), end, end + strlen(end));
}

std::vector<size_t> pauses;

void Compose(const uint8_t* data, size_t size) {
  sent.clear();
  pauses.clear();
  for (size_t at = 0; at + 2 <= size;) {
    const uint8_t kind = data[at] & 3;
    uint32_t length = data[at + 1];
    at += 2;
    if (length > size - at) length = static_cast<uint32_t>(size - at);
    if (kind == 0) sent.insert(sent.end(), data + at, data + at + length);
    if (kind == 1) AddFrame(data + at, length);
    if (kind == 2) AddLine(data + at, length);
    if (kind == 3) pauses.push_back(sent.size());
    at += length;
  }
}

uint8_t* arena;
uint8_t* slot;

void FillSlot() {
  memset(slot, 0xFF, kSlotBytes);
  const uint32_t bytes = static_cast<uint32_t>(fuzz_model_end - fuzz_model);
  if (bytes > kSlotBytes - kSlotHeaderBytes) abort();
  uint32_t header[16] = {0x4C534854, 1, kSlotHeaderBytes, bytes, Crc32(0, fuzz_model, bytes)};
  header[15] = Crc32(0, header, 60);
  memcpy(slot, header, sizeof header);
  memcpy(slot + kSlotHeaderBytes, fuzz_model, bytes);
}

}  // namespace

namespace port {

void Init() {}
int ReadByte() {
  if (!pauses.empty() && pauses.front() == sent_at) {
    // Silence, long enough for a frame to be given up.
    if (++silence < 200) return -1;
    pauses.erase(pauses.begin());
    silence = 0;
  }
  if (sent_at == sent.size()) longjmp(off, 1);
  return sent[sent_at++];
}
uint32_t PauseReads() { return 64; }
void Write(const uint8_t* data, uint32_t size) {
  for (uint32_t i = 0; i < size; ++i) {
    volatile uint8_t byte = data[i];
    (void)byte;
  }
}
void CounterRestart() {}
uint64_t CounterTicks() { return 0; }
uint64_t CounterMilliticks() { return 1; }
void CounterRelease() {}
Region Arena() { return {arena, kArenaBytes}; }
Region ModelSlot() { return {slot, kSlotBytes}; }
bool ModelSlotWritable() { return true; }
uint32_t StackBytes() { return 0; }
uint32_t StackPeakBytes() { return 0; }
[[noreturn]] void Reset() { longjmp(off, 1); }

}  // namespace port
}  // namespace tinyhil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tinyhil;
  if (arena == nullptr) {
    arena = Memory(kArenaBytes);
    slot = Memory(kSlotBytes);
  }
  memset(arena, 0xA5, kArenaBytes);
  FillSlot();
  new (&receiver) Receiver();
  new (&runner) ModelRunner();
  new (&encoder) CobsEncoder(tinyhil::Write);
  new (&requests) Requests(runner, encoder, Serve, reply);
  new (&text) TextCommands(runner, tinyhil::Write);
  new (&pause) Pause();
  damaged_frames = 0;
  // The whole input is what the host sends: a session first.
  static const uint8_t open[] = {static_cast<uint8_t>(Request::kOpen), 0, 0, 0, 0, 0};
  Compose(data, size);
  std::vector<uint8_t> rest;
  rest.swap(sent);
  AddFrame(open, sizeof open);
  for (size_t& at : pauses) at += sent.size();
  sent.insert(sent.end(), rest.begin(), rest.end());
  sent_at = 0;
  silence = 0;
  if (setjmp(off) == 0) AppMain();
  return 0;
}
