// SPDX-License-Identifier: Apache-2.0
// The builtin engine: our own interpreter with the kernels this image was built with.
#include "engine/engine.h"
#include "interpreter/interpreter.h"
#include "kernels/ops.h"

namespace tinyhil {
namespace {

Interpreter interpreter;  // beside the engine, whose table of functions would make it an initial value in flash

class Builtin final : public Engine {
 public:
  const char* Name() const override { return "builtin"; }
  const char* Kernels() const override { return kKernelSet; }
  Error Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes) override {
    return interpreter.Load(model, model_bytes, arena, arena_bytes);
  }
  bool Loaded() const override { return interpreter.loaded(); }
  void ResetState() override { interpreter.ResetState(); }
  Error Invoke(OpHook* hook) override {
    Error error;
    if (!interpreter.loaded()) {
      error.code = Code::kNoModel;
    } else {
      interpreter.Invoke(hook);
    }
    return error;
  }
  uint32_t InputCount() const override { return interpreter.input_count(); }
  uint32_t OutputCount() const override { return interpreter.output_count(); }
  TensorInfo Input(uint32_t index) const override { return interpreter.Input(index); }
  TensorInfo Output(uint32_t index) const override { return interpreter.Output(index); }
  uint32_t OpCount() const override { return interpreter.op_count(); }
  const char* OpName(uint32_t op) const override { return interpreter.OpName(op); }
  bool OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const override {
    return interpreter.OpTensor(op, access, k, out);
  }
  const char* OpPath(uint32_t op) const override { return interpreter.OpPath(op); }
  uint32_t OpPathRuns(uint32_t op) const override { return interpreter.OpPathRuns(op); }
  uint32_t ArenaUsed() const override { return interpreter.arena_used(); }
};

Builtin engine;  // constant-initialized: no start-up code

}  // namespace

Engine& TheEngine() { return engine; }

}  // namespace tinyhil
