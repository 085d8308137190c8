// SPDX-License-Identifier: Apache-2.0
// Loads a model into an arena and runs it.
//
// The arena, from its start: the planned buffers (activations and scratch, shared by lifetime), then free bytes,
// then what lasts: a pointer a tensor, 16 bytes an operator and the operators' own data. Constants stay in the
// model. Outside the arena an interpreter takes about 200 bytes.
#ifndef TINYHIL_INTERPRETER_INTERPRETER_H_
#define TINYHIL_INTERPRETER_INTERPRETER_H_

#include <stdint.h>

#include "engine/engine.h"
#include "interpreter/kernel.h"
#include "interpreter/model.h"

namespace tinyhil {

class Interpreter {
 public:
  // Both 16-byte aligned. After an error nothing is loaded.
  Error Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes);
  bool loaded() const { return loaded_; }

  void Invoke(OpHook* hook);  // only while loaded()

  uint32_t input_count() const { return model_.input_count(); }
  uint32_t output_count() const { return model_.output_count(); }
  TensorInfo Input(uint32_t i) const { return Info(model_.input(i)); }
  TensorInfo Output(uint32_t i) const { return Info(model_.output(i)); }

  uint32_t op_count() const { return model_.operator_count(); }
  const char* OpName(uint32_t op) const { return nodes_[op].registration->name; }
  bool OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const;
  const char* OpPath(uint32_t op) const { return nodes_[op].registration->path; }
  uint32_t OpPathRuns(uint32_t op) const;

  uint32_t arena_used() const { return arena_used_; }

 private:
  struct Node {
    const OpRegistration* registration;
    void* data;
    const int32_t* inputs;
    const int32_t* outputs;
  };

  bool AddActivation(LoadArena& arena, uint32_t tensor, uint32_t op);
  bool AddInputs(LoadArena& arena);
  bool AddOperator(LoadArena& arena, uint32_t index);
  bool TouchOutputs(LoadArena& arena);
  bool Place(LoadArena& arena);
  bool BindConstants();
  bool BindConstant(uint32_t index);
  bool Refuse(const LoadArena& arena, uint32_t needed);

  bool Planned(uint32_t tensor) const { return tensors_[tensor] != nullptr; }
  TensorInfo Info(uint32_t tensor) const;

  mutable Model model_;  // reading records errors
  Node* nodes_ = nullptr;
  void** tensors_ = nullptr;  // while loading: 1 + the activation's place in the list of buffers
  uint8_t* arena_ = nullptr;
  uint32_t arena_bytes_ = 0;
  uint32_t arena_used_ = 0;
  uint32_t invokes_ = 0;  // since Load
  bool loaded_ = false;
};

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_INTERPRETER_H_
