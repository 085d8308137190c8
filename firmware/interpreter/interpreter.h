// SPDX-License-Identifier: Apache-2.0
// Loads a model into an arena and runs it.
//
// The arena, from its start: the planned buffers (activations and scratch, shared by lifetime), then free bytes,
// then what lasts: a pointer a tensor, 16 bytes an operator and the operators' own data. Variables are planned like
// activations that live for ever. Constants stay in the model. Outside the arena an interpreter takes about 200 bytes.
//
// Lifetimes count operators in the order in which they run: a subgraph that CALL_ONCE calls runs at its call, so its
// activations share memory with whatever the caller does not need at that moment.
#ifndef TINYHIL_INTERPRETER_INTERPRETER_H_
#define TINYHIL_INTERPRETER_INTERPRETER_H_

#include <stdint.h>

#include "engine/engine.h"
#include "interpreter/graph.h"
#include "interpreter/kernel.h"
#include "interpreter/model.h"

namespace tinyhil {

class Interpreter {
 public:
  // Both 16-byte aligned. After an error nothing is loaded.
  Error Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes);
  bool loaded() const { return loaded_; }

  void Invoke(OpHook* hook);  // only while loaded()
  void ResetState();          // likewise: variables as after Load, and what is called once runs again

  uint32_t input_count() const { return model_.input_count(); }
  uint32_t output_count() const { return model_.output_count(); }
  TensorInfo Input(uint32_t i) const { return Info(model_.input(i)); }
  TensorInfo Output(uint32_t i) const { return Info(model_.output(i)); }

  uint32_t op_count() const { return model_.operator_count(); }
  const char* OpName(uint32_t op) const { return main_.nodes[op].registration->name; }
  bool OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const;
  const char* OpPath(uint32_t op) const { return main_.nodes[op].registration->path; }
  uint32_t OpPathRuns(uint32_t op) const;

  uint32_t arena_used() const { return arena_used_; }

 private:
  friend class Prepare;

  void NewGraph(LoadArena& arena, Graph* graph);
  bool FindState(LoadArena& arena);
  bool FindStateOf(uint32_t subgraph, uint32_t* calls, uint32_t* handles);
  bool LoadGraph(LoadArena& arena, Graph& graph);
  bool LoadCalled(LoadArena& arena);
  bool AddActivation(LoadArena& arena, Graph& graph, uint32_t tensor);
  bool AddVariable(LoadArena& arena, Graph& graph, const Tensor& tensor);
  bool AddInputs(LoadArena& arena, Graph& graph);
  bool AddOperator(LoadArena& arena, Graph& graph, uint32_t index);
  bool AddInput(LoadArena& arena, Graph& graph, uint32_t tensor, bool may_be_handle);
  bool TouchOutputs(LoadArena& arena, Graph& graph);
  void ForgetHandles(Graph& graph);
  bool CheckVariables();
  bool Place(LoadArena& arena);
  bool Refuse(const LoadArena& arena, uint32_t needed);
  void ResetTensors(const Graph& graph);

  // For the operators that keep state.
  bool DeclareVariable(Graph& graph, uint32_t handle, const Vector& container, const Vector& name);
  Variable* VariableOf(const Graph& graph, uint32_t handle);
  CalledGraph* NextCalled(uint32_t subgraph);

  TensorInfo Info(uint32_t tensor) const;

  mutable Model model_;  // reading records errors
  Graph main_ = {};
  CalledGraph* called_ = nullptr;
  Variable* variables_ = nullptr;  // those of resource tensors
  uint32_t called_count_ = 0;
  uint32_t called_taken_ = 0;  // while loading
  uint32_t variable_count_ = 0;
  uint32_t time_ = 0;           // while loading: operators so far, in the order in which they run
  bool has_variables_ = false;  // variable tensors
  uint8_t* arena_ = nullptr;
  uint32_t arena_bytes_ = 0;
  uint32_t arena_used_ = 0;
  uint32_t invokes_ = 0;  // since Load
  bool loaded_ = false;
};

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_INTERPRETER_H_
