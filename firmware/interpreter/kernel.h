// SPDX-License-Identifier: Apache-2.0
// What an operator is: a registration with two functions.
//
// Prepare runs once, at load: it checks everything the operator reads of the model, precomputes what it can into
// persistent memory and asks for scratch. Eval runs in every inference: it only computes, and cannot fail.
#ifndef TINYHIL_INTERPRETER_KERNEL_H_
#define TINYHIL_INTERPRETER_KERNEL_H_

#include <stdint.h>

#include "interpreter/graph.h"
#include "interpreter/model.h"
#include "interpreter/quantize.h"
#include "interpreter/schema.h"

namespace tinyhil {

class Interpreter;
class Prepare;
class Eval;

struct OpRegistration {
  uint32_t builtin_code;  // schema::Builtin; kCustom for a custom operator
  const char* name;       // the schema's name, or the custom operator's
  bool (*prepare)(Prepare& op);
  void (*eval)(const Eval& op);
  const char* path = "reference";  // the kernel set whose code this is
  // Whether the operator's data begins with a uint32_t in which eval counts the runs that its path really made; else
  // every Invoke is one.
  bool counts = false;
};

// Arena memory while a model is loaded: persistent memory grows down from the end, the planner's list of buffers
// up from the start. Once something does not fit, memory is handed out again and again from the same place,
// so that loading can go on and the whole need becomes known; the model is refused at the end.
class LoadArena {
 public:
  struct Buffer {
    uint32_t bytes;
    uint16_t first;  // operator that first needs it, in the order in which operators run
    uint16_t last;   // operator that last needs it
    void** where;    // receives its address
  };

  // What a buffer takes while it is planned: its entry, and later its offset.
  static constexpr uint32_t kListed = sizeof(Buffer) + sizeof(uint32_t);

  LoadArena(uint8_t* base, uint32_t bytes);

  // Zeroed, aligned to 8 bytes; null only where the arena cannot hold this alone.
  void* Persistent(uint32_t bytes);
  bool AddBuffer(const Buffer& buffer);

  uint8_t* base() const { return base_; }
  uint32_t bytes() const { return bytes_; }
  bool overflowed() const { return overflowed_; }
  bool exhausted() const { return exhausted_; }  // not even the bookkeeping fits: the need is a lower bound
  uint32_t persistent_bytes() const { return persistent_bytes_; }
  Buffer* buffers() const { return reinterpret_cast<Buffer*>(base_); }
  uint32_t buffer_count() const { return buffer_count_; }
  uint32_t FreeBytes() const;  // between the list of buffers and persistent memory

  // From here on, what is handed out after an overflow may be overwritten by the next operator's.
  void MarkFixed() { fixed_ = end_; }

 private:
  uint8_t* base_;
  uint32_t bytes_;
  uint8_t* end_;    // persistent memory starts here
  uint8_t* fixed_;  // what lies above stays
  uint32_t persistent_bytes_ = 0;
  uint32_t buffer_count_ = 0;
  bool overflowed_ = false;
  bool exhausted_ = false;
};

// One operator while it is prepared. Functions that return false have recorded the error. What every Prepare calls is
// declared cold: the compiler then makes each Prepare small, and none of the inner loops beside it slower.
class Prepare {
 public:
  Prepare(Interpreter& interpreter, Model& model, LoadArena& arena, Graph& graph, const Operator& op, uint32_t time)
      : interpreter_(interpreter), model_(model), arena_(arena), graph_(graph), op_(op), time_(time) {}

  // Prepares the operator with this registration, whose eval is then the one that runs. A Prepare whose kernel cannot
  // do a case hands it to another's this way, before it asked for any memory.
  [[gnu::cold]] bool Hand(const OpRegistration& registration) {
    registration_ = &registration;
    return registration.prepare(*this);
  }
  const OpRegistration* registration() const { return registration_; }

  uint32_t input_count() const { return op_.input_count; }
  uint32_t output_count() const { return op_.output_count; }
  bool HasInput(uint32_t i) const { return i < op_.input_count && op_.inputs[i] >= 0; }

  // Fails unless the operator has this many inputs (left-out optional ones included) and outputs.
  [[gnu::cold]] bool Expect(uint32_t min_inputs, uint32_t max_inputs, uint32_t outputs);
  [[gnu::cold]] bool Input(uint32_t i, Tensor* out);  // fails where it is left out
  [[gnu::cold]] bool Output(uint32_t i, Tensor* out);

  // The builtin options of the given type. Absent options leave the table empty: all fields at their defaults.
  [[gnu::cold]] bool Options(schema::Options type, Table* out);
  uint32_t Word(const Vector& list, uint32_t i) { return LoadU32(model_.reader().base() + list.offset + 4 * i); }
  // A custom operator's options, as its converter wrote them; returns their length, 0 where there are none.
  uint32_t CustomOptions(const uint8_t** out) {
    *out = model_.reader().base() + op_.custom_options.offset;
    return op_.custom_options.count;
  }
  bool ok() { return model_.reader().ok(); }

  [[gnu::cold]] bool Fail(Code code, const char* field, const char* detail, uint32_t got = 0, uint32_t want = 0) {
    return model_.reader().Fail(code, field, detail, got, want);
  }

  // The operator's own data, handed to Eval; zeroed. Null where the arena cannot hold it. A Prepare writes persistent
  // memory and does not rely on reading it back: once the arena has overflowed, pieces of it overlap.
  template <typename T>
  T* Data() {
    data_ = Persistent<T>(1);
    return static_cast<T*>(data_);
  }
  // The same for data whose length the operator tells.
  void* DataOfBytes(uint32_t bytes) { return data_ = PersistentBytes(bytes, 1); }
  template <typename T>
  T* Persistent(uint32_t count) {
    return static_cast<T*>(PersistentBytes(count, sizeof(T)));
  }
  // Memory for the duration of Eval; its address is stored to *where before the first Eval.
  [[gnu::cold]] bool Scratch(uint32_t bytes, void** where);

  void* data() const { return data_; }

  // State between inferences. The variable that the handle in an input stands for, of `bytes` bytes: those of the
  // tensor that is read from it or assigned to it. An assignment's value gives its first content, too.
  bool DeclareVariable(const Vector& container, const Vector& name);  // output 0 becomes its handle
  bool ReadsVariable(uint32_t input, const Tensor& value, const Variable** out);
  bool AssignsVariable(uint32_t input, const Tensor& value, const Variable** out);
  // The subgraph that this operator calls; to be run once. Null after a failure.
  CalledGraph* Calls(uint32_t subgraph);

 private:
  Variable* FindVariable(uint32_t input, const Tensor& value);
  [[gnu::cold]] void* PersistentBytes(uint32_t count, uint32_t element);

  Interpreter& interpreter_;
  Model& model_;
  LoadArena& arena_;
  Graph& graph_;
  const Operator& op_;
  uint32_t time_;
  const OpRegistration* registration_ = nullptr;
  void* data_ = nullptr;
};

// One operator while it runs.
class Eval {
 public:
  Eval(void* const* tensors, const int32_t* inputs, const int32_t* outputs, const void* data)
      : tensors_(tensors), inputs_(inputs), outputs_(outputs), data_(data) {}

  template <typename T>
  const T* Input(uint32_t i) const {
    return static_cast<const T*>(tensors_[inputs_[i]]);
  }
  template <typename T>
  T* Output(uint32_t i) const {
    return static_cast<T*>(tensors_[outputs_[i]]);
  }
  // An input that is a variable tensor (Tensor::variable), which an operator may update.
  template <typename T>
  T* VariableInput(uint32_t i) const {
    return static_cast<T*>(tensors_[inputs_[i]]);
  }
  bool HasInput(uint32_t i) const { return static_cast<int32_t>(i) < inputs_[-1] && inputs_[i] >= 0; }
  template <typename T>
  const T& Data() const {
    return *static_cast<const T*>(data_);
  }

 private:
  void* const* tensors_;
  const int32_t* inputs_;
  const int32_t* outputs_;
  const void* data_;
};

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_KERNEL_H_
