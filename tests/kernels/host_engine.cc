// SPDX-License-Identifier: Apache-2.0
// The builtin engine as a host process, for tests that run many small models: no link, no slot, exact-size memory so
// that the address sanitizer sees every byte read or written outside model and arena.
//
// stdin, repeated: u32 model bytes, u32 arena bytes, u32 vectors, u32 whether state is kept, the model, then each vector
// (all inputs, one after the other). stdout: u32 code; on success u32 arena used, then for each vector all outputs, then
// u32 operators and for each u32 runs of its path, u32 length, path; on failure u32 want, u32 got, u32 length, text
// (path and detail).
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/engine.h"

using namespace tinyhil;

namespace {

// An allocation of exactly so many bytes. malloc aligns to 16, which is what models and arenas need.
class Exact {
 public:
  explicit Exact(uint32_t bytes) : data_(static_cast<uint8_t*>(malloc(bytes))) {}
  ~Exact() { free(data_); }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;
  uint8_t* data() { return data_; }

 private:
  uint8_t* data_;
};

bool Read(void* to, uint32_t bytes) { return fread(to, 1, bytes, stdin) == bytes; }
void Write(const void* from, uint32_t bytes) { fwrite(from, 1, bytes, stdout); }
void WriteU32(uint32_t value) { Write(&value, 4); }

void WriteError(const Error& error) {
  char text[512];
  int at = 0;
  for (int i = 0; i < error.depth; ++i) {
    at += snprintf(text + at, sizeof text - static_cast<size_t>(at), "%s%s", i > 0 ? "." : "", error.path[i].name);
    if (error.path[i].index >= 0) {
      at += snprintf(text + at, sizeof text - static_cast<size_t>(at), "[%d]", error.path[i].index);
    }
  }
  at += snprintf(text + at, sizeof text - static_cast<size_t>(at), ": %s", error.detail ? error.detail : "");
  WriteU32(error.want);
  WriteU32(error.got);
  WriteU32(static_cast<uint32_t>(at));
  Write(text, static_cast<uint32_t>(at));
}

}  // namespace

int main() {
  uint32_t head[4];
  while (Read(head, sizeof head)) {
    Exact model(head[0]), arena(head[1]);
    if (!Read(model.data(), head[0])) return 2;
    memset(arena.data(), 0xA5, head[1]);
    Engine& engine = TheEngine();
    const Error error = engine.Load(model.data(), head[0], arena.data(), head[1]);
    WriteU32(static_cast<uint32_t>(error.code));
    if (!error.ok()) {
      WriteError(error);
    } else {
      WriteU32(engine.ArenaUsed());
      fflush(stdout);
      for (uint32_t vector = 0; vector < head[2]; ++vector) {
        for (uint32_t i = 0; i < engine.InputCount(); ++i) {
          const TensorInfo info = engine.Input(i);
          if (!Read(info.data, info.bytes)) return 2;
        }
        if (head[3] == 0) engine.ResetState();
        engine.Invoke(nullptr);
        for (uint32_t i = 0; i < engine.OutputCount(); ++i) {
          const TensorInfo info = engine.Output(i);
          Write(info.data, info.bytes);
        }
      }
      WriteU32(engine.OpCount());
      for (uint32_t op = 0; op < engine.OpCount(); ++op) {
        const char* path = engine.OpPath(op);
        WriteU32(engine.OpPathRuns(op));
        WriteU32(static_cast<uint32_t>(strlen(path)));
        Write(path, static_cast<uint32_t>(strlen(path)));
      }
    }
    fflush(stdout);
  }
  return 0;
}
