// SPDX-License-Identifier: Apache-2.0
#include "app/model_runner.h"

#include <string.h>

#include "link/crc32.h"
#include "link/payload.h"
#include "ports/port.h"

namespace tinyhil {
namespace {

constexpr uint32_t kArenaAlignment = 16;

Error Refuse(Code code, const char* field, int32_t index, const char* detail, uint32_t want = 0, uint32_t got = 0) {
  Error error;
  error.code = code;
  error.detail = detail;
  error.want = want;
  error.got = got;
  error.path[error.depth++] = {field, index};
  return error;
}

uint32_t ReserveFor(uint32_t op_count) {
  const uint32_t bytes = op_count * static_cast<uint32_t>(sizeof(ModelRunner::OpResult));
  return (bytes + kArenaAlignment - 1) & ~(kArenaAlignment - 1);
}

}  // namespace

// Only the operator runs between Begin's last statement and End's first.
class ModelRunner::Hook final : public OpHook {
 public:
  Hook(Engine& engine, const Run& run, OpResult* results) : engine_(engine), run_(run), results_(results) {}

  void Begin(uint32_t op) override {
    if (run_.progress != nullptr) run_.progress(run_.progress_of, op);
    if (run_.checksums) results_[op].read_crc = Checksum(op, Access::kRead);
    if (run_.profile) port::CounterRestart();
  }

  void End(uint32_t op) override {
    if (run_.profile) results_[op].milliticks = port::CounterMilliticks();
    if (run_.checksums) results_[op].wrote_crc = Checksum(op, Access::kWritten);
  }

 private:
  uint32_t Checksum(uint32_t op, Access access) const {
    uint32_t crc = 0;
    Bytes bytes;
    for (uint32_t k = 0; engine_.OpTensor(op, access, k, &bytes); ++k) crc = Crc32(crc, bytes.data, bytes.size);
    return crc;
  }

  Engine& engine_;
  const Run& run_;
  OpResult* results_;
};

void ModelRunner::Forget() {
  has_ticks_ = false;
  has_checksums_ = false;
  has_profile_ = false;
}

uint32_t ModelRunner::arena_bytes() const { return arena_limit_ != 0 ? arena_limit_ : port::Arena().bytes; }

// Plans the model so that `reserve_bytes` stay free behind its arena.
Error ModelRunner::Place(uint32_t reserve_bytes) {
  port::Region region = port::Arena();
  region.bytes -= kept_bytes_;
  uint32_t bytes = reserve_bytes < region.bytes ? region.bytes - reserve_bytes : 0;
  if (arena_limit_ != 0 && arena_limit_ < bytes) bytes = arena_limit_;
  bytes &= ~(kArenaAlignment - 1);
  results_ = reinterpret_cast<OpResult*>(region.base + bytes);
  result_room_bytes_ = region.bytes - bytes;
  port::CounterRestart();
  const Error error = TheEngine().Load(model_.data, model_.size, region.base, bytes);
  set_up_milliticks_ = port::CounterMilliticks();
  return error;
}

// What a command in the text language runs into while a run is stopped.
Error ModelRunner::Busy() const {
  return running_ ? Refuse(Code::kBadRequest, "run", -1, "a run is stopped at an operator") : Error{};
}

Error ModelRunner::Load(uint32_t arena_limit, uint32_t kept_bytes) {
  if (running_) return Busy();
  loaded_ = false;
  ++loads_;
  Forget();
  const port::Region region = port::Arena();
  kept_bytes_ = kept_bytes < region.bytes ? kept_bytes : region.bytes;
  if (arena_limit > region.bytes) {
    return Refuse(Code::kArenaTooSmall, "arena", -1, "more was asked for than the board has", arena_limit,
                  region.bytes);
  }
  Error error = FindModel(&model_);
  if (!error.ok()) return error;
  arena_limit_ = arena_limit;
  uint32_t reserve = ReserveFor(kUsualOps);
  error = Place(reserve);
  if (error.ok() && ReserveFor(TheEngine().OpCount()) > result_room_bytes_) {
    reserve = ReserveFor(TheEngine().OpCount());
    error = Place(reserve);
  }
  if (error.code == Code::kArenaTooSmall) error = Place(0);
  loaded_ = error.ok();
  return error;
}

Error ModelRunner::FindTensor(bool output, uint32_t index, TensorInfo* tensor) const {
  const char* field = output ? "output" : "input";
  if (!loaded_) return Refuse(Code::kNoModel, field, -1, "no model is loaded");
  const Engine& engine = TheEngine();
  const uint32_t count = output ? engine.OutputCount() : engine.InputCount();
  if (index >= count) return Refuse(Code::kBadIndex, field, -1, "no such tensor", count, index);
  *tensor = output ? engine.Output(index) : engine.Input(index);
  return {};
}

Error ModelRunner::WriteInput(uint32_t index, uint32_t offset, const uint8_t* data, uint32_t size) {
  if (running_) return Busy();
  TensorInfo tensor;
  const Error error = FindTensor(false, index, &tensor);
  if (!error.ok()) return error;
  if (offset > tensor.bytes || size > tensor.bytes - offset) {
    return Refuse(Code::kBadRange, "input", static_cast<int32_t>(index), "outside the tensor", tensor.bytes, offset);
  }
  if (size != 0) memcpy(static_cast<uint8_t*>(tensor.data) + offset, data, size);
  return {};
}

Error ModelRunner::ReadOutput(uint32_t index, uint32_t offset, uint32_t size, const uint8_t** data) const {
  TensorInfo tensor;
  const Error error = FindTensor(true, index, &tensor);
  if (!error.ok()) return error;
  if (offset > tensor.bytes || size > tensor.bytes - offset) {
    return Refuse(Code::kBadRange, "output", static_cast<int32_t>(index), "outside the tensor", tensor.bytes, offset);
  }
  *data = static_cast<const uint8_t*>(tensor.data) + offset;
  return {};
}

Error ModelRunner::CheckInputs(const uint8_t* crcs) const {
  const Engine& engine = TheEngine();
  for (uint32_t i = 0; i < engine.InputCount(); ++i) {
    const TensorInfo tensor = engine.Input(i);
    const uint32_t want = FetchU32(crcs + 4 * i);
    const uint32_t got = Crc32(0, tensor.data, tensor.bytes);
    if (got != want) {
      return Refuse(Code::kInputCrc, "input", static_cast<int32_t>(i), "CRC-32 of the tensor before the run", want,
                    got);
    }
  }
  return {};
}

Error ModelRunner::RunOnce(const Run& run) {
  if (running_) return Busy();
  if (!loaded_) return Refuse(Code::kNoModel, "model", -1, "no model is loaded");
  Engine& engine = TheEngine();
  const bool noted = run.checksums || run.profile;
  const uint32_t result_bytes = engine.OpCount() * static_cast<uint32_t>(sizeof(OpResult));
  if (noted && result_bytes > result_room_bytes_) {
    return Refuse(Code::kArenaTooSmall, "results", -1, "bytes beside the arena for what each operator did",
                  result_bytes, result_room_bytes_);
  }
  if (run.input_crcs != nullptr) {
    const Error error = CheckInputs(run.input_crcs);
    if (!error.ok()) return error;
  }
  Forget();
  if (!run.keep_state) engine.ResetState();
  if (noted || run.progress != nullptr) {
    Hook hook(engine, run, results_);
    const Error error = engine.Invoke(&hook);
    has_checksums_ = error.ok() && run.checksums;
    has_profile_ = error.ok() && run.profile;
    return error;
  }
  port::CounterRestart();
  const Error error = engine.Invoke(nullptr);
  milliticks_ = port::CounterMilliticks();
  has_ticks_ = error.ok() && milliticks_ != 0;
  return error;
}

Error ModelRunner::RunStopping(const uint8_t* input_crcs, OpHook& hook) {
  if (running_) return Busy();
  if (!loaded_) return Refuse(Code::kNoModel, "model", -1, "no model is loaded");
  Error error = CheckInputs(input_crcs);
  if (!error.ok()) return error;
  Forget();
  running_ = true;
  error = TheEngine().Invoke(&hook);
  running_ = false;
  return error;
}

Error ModelRunner::FindOpTensor(uint32_t op, Access access, uint32_t k, Bytes* bytes) const {
  if (!loaded_) return Refuse(Code::kNoModel, "model", -1, "no model is loaded");
  const Engine& engine = TheEngine();
  if (op >= engine.OpCount()) return Refuse(Code::kBadIndex, "operator", -1, "no such operator", engine.OpCount(), op);
  if (!engine.OpTensor(op, access, k, bytes)) {
    return Refuse(Code::kBadIndex, "operators", static_cast<int32_t>(op), "no such tensor of the operator", 0, k);
  }
  return {};
}

}  // namespace tinyhil
