// SPDX-License-Identifier: Apache-2.0
#include "interpreter/kernel.h"

namespace tinyhil {

LoadArena::LoadArena(uint8_t* base, uint32_t bytes)
    : base_(base), bytes_(bytes & ~uint32_t{15}), end_(base + bytes_), fixed_(end_) {}

uint32_t LoadArena::FreeBytes() const { return static_cast<uint32_t>(end_ - base_) - buffer_count_ * kListed; }

void* LoadArena::Persistent(uint32_t bytes) {
  bytes = (bytes + 7) & ~uint32_t{7};
  if (bytes > UINT32_MAX / 2 - persistent_bytes_) {
    overflowed_ = exhausted_ = true;
    return nullptr;
  }
  persistent_bytes_ += bytes;
  if (bytes > FreeBytes()) {
    overflowed_ = true;
    end_ = fixed_;  // start over: nothing of this will run
    if (bytes > FreeBytes()) {
      exhausted_ = true;
      return nullptr;
    }
  }
  end_ -= bytes;
  __builtin_memset(end_, 0, bytes);
  return end_;
}

bool LoadArena::AddBuffer(const Buffer& buffer) {
  if (kListed > FreeBytes()) {
    overflowed_ = true;
    end_ = fixed_;
    if (kListed > FreeBytes()) {
      exhausted_ = true;
      return false;
    }
  }
  buffers()[buffer_count_++] = buffer;
  return true;
}

bool Prepare::Expect(uint32_t min_inputs, uint32_t max_inputs, uint32_t outputs) {
  if (op_.input_count < min_inputs || op_.input_count > max_inputs) {
    return Fail(Code::kModelMalformed, "inputs", "wrong number of inputs", op_.input_count,
                op_.input_count < min_inputs ? min_inputs : max_inputs);
  }
  if (op_.output_count != outputs) {
    return Fail(Code::kModelMalformed, "outputs", "wrong number of outputs", op_.output_count, outputs);
  }
  return true;
}

bool Prepare::Input(uint32_t i, Tensor* out) {
  if (!HasInput(i)) return Fail(Code::kModelMalformed, "inputs", "a required input is left out", i, op_.input_count);
  return model_.ReadTensor(static_cast<uint32_t>(op_.inputs[i]), out);
}

bool Prepare::Output(uint32_t i, Tensor* out) {
  if (i >= op_.output_count) return Fail(Code::kModelMalformed, "outputs", "no such output", i, op_.output_count);
  return model_.ReadTensor(static_cast<uint32_t>(op_.outputs[i]), out);
}

bool Prepare::Options(schema::Options type, Table* out) {
  *out = Table{};
  if (op_.options_type == schema::kNoOptions) return true;
  if (op_.options_type != type) {
    return Fail(Code::kModelMalformed, "builtin_options_type", "options of another operator", op_.options_type, type);
  }
  *out = op_.options;
  return true;
}

void* Prepare::PersistentBytes(uint32_t count, uint32_t element) {
  void* memory = count <= UINT32_MAX / 4 / element ? arena_.Persistent(count * element) : nullptr;
  if (memory == nullptr) Fail(Code::kArenaTooSmall, nullptr, "operator data");
  return memory;
}

bool Prepare::Scratch(uint32_t bytes, void** where) {
  const uint16_t at = static_cast<uint16_t>(time_);
  if (arena_.AddBuffer({bytes, at, at, where})) return true;
  return Fail(Code::kArenaTooSmall, nullptr, "scratch");
}

}  // namespace tinyhil
