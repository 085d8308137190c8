// SPDX-License-Identifier: Apache-2.0
// The engine tflm: upstream TFLite Micro, with the kernels this image was built with.
//
// TFLite Micro trusts its model, so the file is checked before, by the reader of our own interpreter: whatever would
// lead outside of the file is refused, and what only our interpreter has no use for is left to TFLite Micro.
//
// No tensor is preserved for the hooks: they run around each operator, whose registration is wrapped (tflm_ops.h), and
// find its tensors in the normal arena. What TFLite Micro needs of the arena is what a product would need.
//
// RAM: TFLite Micro's interpreter (about 200 bytes), its table of operators (tflm_ops.h), 220 bytes for its words.
// Portable C++17: wants nothing but TFLite Micro's headers, so that it builds in Zephyr as it is.
#include <setjmp.h>
#include <string.h>

#include <new>

#include "engine/engine.h"
#include "engine/tflm_arena.h"
#include "engine/tflm_log.h"
#include "engine/tflm_ops.h"
#include "engine/tflm_state.h"
#include "interpreter/model.h"
#include "interpreter/schema.h"
#include "tensorflow/lite/micro/memory_helpers.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace tinyhil {
namespace {

#if defined(CMSIS_NN) || defined(TINYHIL_TFLM_CMSIS_NN)
constexpr char kKernels[] = "cmsis_nn";
constexpr char kPath[] = "";  // the set calls CMSIS-NN or its own reference code, and does not say which
#else
constexpr char kKernels[] = "reference";
constexpr char kPath[] = "reference";
#endif

constexpr uint32_t kAlignment = 16;

class OpenInterpreter final : public tflite::MicroInterpreter {
 public:
  using MicroInterpreter::MicroInterpreter;

  const TfLiteEvalTensor* Tensor(int32_t index) const {
    return context().GetEvalTensor(&context(), static_cast<int>(index));
  }
  TfLiteContext* Context() const { return const_cast<TfLiteContext*>(&context()); }
};

class Tflm final : public Engine {
 public:
  const char* Name() const override { return "tflm"; }
  const char* Kernels() const override { return kKernels; }
  Error Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes) override;
  bool Loaded() const override { return interpreter_ != nullptr; }
  void ResetState() override;
  Error Invoke(OpHook* hook) override;

  uint32_t InputCount() const override { return model_.input_count(); }
  uint32_t OutputCount() const override { return model_.output_count(); }
  TensorInfo Input(uint32_t index) const override { return Info(model_.input(index)); }
  TensorInfo Output(uint32_t index) const override { return Info(model_.output(index)); }

  uint32_t OpCount() const override { return model_.operator_count(); }
  const char* OpName(uint32_t op) const override;
  bool OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const override;
  const char* OpPath(uint32_t) const override { return kPath; }
  uint32_t OpPathRuns(uint32_t) const override { return kPath[0] == '\0' ? 0 : invokes_; }
  uint32_t ArenaUsed() const override;

  TfLiteStatus RunOp(TflmInvoke invoke, TfLiteContext* context, TfLiteNode* node);

 private:
  bool CheckTensor(uint32_t index, bool carried);
  bool CheckOperator(uint32_t index);
  bool CheckGraph(uint32_t index);
  bool CheckBuffers();
  bool CheckModel();
  bool Start(uint32_t arena_bytes);
  uint32_t SmallestArena();
  Error Refuse(Code code) const;
  const tflite::Operator* FlatOperator(uint32_t op) const { return flat_->subgraphs()->Get(0)->operators()->Get(op); }
  TensorInfo Info(uint32_t index) const;

  mutable Model model_;  // reading leaves its mark in the reader
  TflmState state_;
  const tflite::Model* flat_ = nullptr;
  const uint8_t* file_ = nullptr;
  uint32_t file_bytes_ = 0;
  uint8_t* arena_ = nullptr;
  uint32_t arena_bytes_ = 0;
  uint32_t smallest_ = 0;  // bytes of the smallest arena that is enough; 0: not found out yet
  uint32_t invokes_ = 0;
  uint32_t op_ = 0;  // the one that runs, while a hook is there
  OpHook* hook_ = nullptr;
  OpenInterpreter* interpreter_ = nullptr;  // in place; null: no model is loaded
};

alignas(OpenInterpreter) unsigned char interpreter_room[sizeof(OpenInterpreter)];
Tflm engine;

// What one tensor is. `carried`: an input or output, which the link must know; of the others a type or a feature that
// only our interpreter lacks is no reason to refuse.
bool Tflm::CheckTensor(uint32_t index, bool carried) {
  const uint32_t graph = model_.subgraph();
  {
    Scope scope(model_.reader(), "subgraphs", static_cast<int32_t>(graph));
    Tensor tensor;
    if (model_.ReadTensor(index, &tensor)) return true;
  }
  if (carried || model_.reader().error().code != Code::kModelUnsupported) return false;
  return model_.Open(file_, file_bytes_) && model_.Select(graph);
}

bool Tflm::CheckOperator(uint32_t index) {
  Scope graph(model_.reader(), "subgraphs", static_cast<int32_t>(model_.subgraph()));
  Operator op;
  if (!model_.ReadOperator(index, &op)) return false;
  const tflite::MicroOpResolver& ops = TflmOps();
  const bool custom = op.custom_name != nullptr;
  const void* found = custom ? static_cast<const void*>(ops.FindOp(op.custom_name))
                             : ops.FindOp(static_cast<tflite::BuiltinOperator>(op.builtin_code));
  Scope scope(model_.reader(), "operators", static_cast<int32_t>(index));
  if (found == nullptr) {
    return model_.reader().Fail(Code::kOpUnsupported, nullptr, "no such operator in this image", op.builtin_code);
  }
  return state_.Check(model_, op);
}

// TFLite Micro prepares every subgraph, called or not, and every tensor, read or not.
bool Tflm::CheckGraph(uint32_t index) {
  if (!model_.Select(index)) return false;
  for (uint32_t i = 0; i < model_.operator_count(); ++i) {
    if (!CheckOperator(i)) return false;
  }
  for (uint32_t i = 0; i < model_.tensor_count(); ++i) {
    if (!CheckTensor(i, false)) return false;
  }
  for (uint32_t i = 0; index == 0 && i < model_.input_count(); ++i) {
    if (!CheckTensor(model_.input(i), true)) return false;
  }
  for (uint32_t i = 0; index == 0 && i < model_.output_count(); ++i) {
    if (!CheckTensor(model_.output(i), true)) return false;
  }
  return true;
}

// TFLite Micro looks into every buffer that is named, and into the metadata for a memory plan that was made offline.
bool Tflm::CheckBuffers() {
  Reader& reader = model_.reader();
  const Table root = Table::Root(reader);
  const Vector buffers = root.VectorOf(schema::kModelBuffers, "buffers", 4);
  for (uint32_t i = 0; i < buffers.count && reader.ok(); ++i) {
    Scope scope(reader, "buffers", static_cast<int32_t>(i));
    const Table buffer = root.Element(buffers, i, nullptr);
    if (buffer) buffer.VectorOf(schema::kBufferData, "data", 1);
  }
  const Vector metadata = root.VectorOf(schema::kModelMetadata, "metadata", 4);
  for (uint32_t i = 0; i < metadata.count && reader.ok(); ++i) {
    Scope scope(reader, "metadata", static_cast<int32_t>(i));
    const Table entry = root.Element(metadata, i, nullptr);
    if (!entry) continue;
    const Vector name = entry.VectorOf(schema::kMetadataName, "name", 1);
    const uint32_t buffer = entry.U32(schema::kMetadataBuffer, "buffer", 0);
    if (buffer >= buffers.count)
      return reader.Fail(Code::kModelMalformed, "buffer", "no such buffer", buffer, buffers.count);
    constexpr char kPlan[] = "OfflineMemoryAllocation";
    constexpr uint32_t kLength = sizeof kPlan - 1;
    if (name.count != kLength || memcmp(reader.base() + name.offset, kPlan, kLength) != 0) continue;
    const uint32_t bytes = root.Element(buffers, buffer, nullptr).VectorOf(schema::kBufferData, "data", 1).count;
    if (bytes < 4 * (3 + model_.tensor_count())) {
      return reader.Fail(Code::kModelMalformed, "buffer", "a memory plan of fewer tensors", bytes,
                         4 * (3 + model_.tensor_count()));
    }
  }
  return reader.ok();
}

bool Tflm::CheckModel() {
  state_ = {};
  if (!model_.Open(file_, file_bytes_) || !CheckBuffers()) return false;
  for (uint32_t i = 0; i < model_.subgraph_count(); ++i) {
    if (!CheckGraph(i)) return false;
  }
  return model_.Select(0);
}

// In a function of its own: what longjmp skips must not hold locals of the caller.
bool Tflm::Start(uint32_t arena_bytes) {
  jmp_buf out_of_memory;
  TflmLogStart(&out_of_memory);
  bool started = false;
  if (setjmp(out_of_memory) == 0) {
    tflite::MicroAllocator* allocator = TflmArena(arena_, arena_bytes);
    const uint32_t count = state_.Variables(*flat_);
    tflite::MicroResourceVariables* variables = nullptr;
    if (count != 0) variables = tflite::MicroResourceVariables::Create(allocator, static_cast<int>(count));
    interpreter_ = new (interpreter_room) OpenInterpreter(flat_, TflmOps(), allocator, variables);
    started = interpreter_->AllocateTensors() == kTfLiteOk;
  }
  tflm_log.out_of_memory = nullptr;
  return started;
}

// Planning takes more than what is in use when it is done, which is all that TFLite Micro counts: an arena of that size
// may be refused. So the size is tried out, to 16 bytes, after which the model is loaded as it was before.
uint32_t Tflm::SmallestArena() {
  if (smallest_ != 0 || interpreter_ == nullptr) return smallest_;
  uint32_t enough = arena_bytes_ & ~(kAlignment - 1);
  uint32_t scarce = (static_cast<uint32_t>(interpreter_->arena_used_bytes()) & ~(kAlignment - 1)) - kAlignment;
  for (uint32_t step = kAlignment; scarce + step < enough; step *= 2) {
    if (Start(scarce + step)) {
      enough = scarce + step;
    } else {
      scarce += step;
    }
  }
  while (enough - scarce > kAlignment) {
    const uint32_t middle = scarce + (((enough - scarce) / 2) & ~(kAlignment - 1));
    if (Start(middle)) {
      enough = middle;
    } else {
      scarce = middle;
    }
  }
  if (!Start(arena_bytes_)) interpreter_ = nullptr;
  smallest_ = enough;
  return smallest_;
}

// The one instance: what is asked for is found out at the first call.
uint32_t Tflm::ArenaUsed() const { return engine.SmallestArena(); }

Error Tflm::Refuse(Code code) const {
  Error error;
  error.code = code;
  error.detail = tflm_log.words;
  if (tflm_log.missing_bytes != 0) {
    error.code = Code::kArenaTooSmall;
    error.want = arena_bytes_ + tflm_log.missing_bytes;
    error.got = arena_bytes_;
    error.want_is_minimum = true;
  }
  error.path[error.depth++] = {error.code == Code::kArenaTooSmall ? "arena" : "subgraphs[0]", -1};
  return error;
}

Error Tflm::Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes) {
  interpreter_ = nullptr;
  invokes_ = 0;
  smallest_ = 0;
  file_ = model;
  file_bytes_ = model_bytes;
  arena_ = arena;
  arena_bytes_ = arena_bytes;
  if (!CheckModel()) return model_.reader().error();
  flat_ = tflite::GetModel(model);
  // What TFLite Micro places before it looks at the model: it does so without asking whether there is room.
  const size_t least = tflite::MicroAllocator::GetDefaultTailUsage(false) + 16;
  if (arena_bytes < least) {
    TflmLogStart(nullptr);
    tflm_log.missing_bytes = static_cast<uint32_t>(least) - arena_bytes;
    return Refuse(Code::kArenaTooSmall);
  }
  if (Start(arena_bytes)) return {};
  interpreter_ = nullptr;
  return Refuse(Code::kModelUnsupported);
}

void Tflm::ResetState() {
  interpreter_->Reset();
  state_.ForgetCalls(*flat_, interpreter_->Context());
}

Error Tflm::Invoke(OpHook* hook) {
  if (interpreter_ == nullptr) {
    Error error;
    error.code = Code::kNoModel;
    return error;
  }
  TflmLogStart(nullptr);
  hook_ = hook;
  op_ = 0;
  const TfLiteStatus status = interpreter_->Invoke();
  hook_ = nullptr;
  if (status != kTfLiteOk) return Refuse(Code::kModelUnsupported);
  ++invokes_;
  return {};
}

TfLiteStatus Tflm::RunOp(TflmInvoke invoke, TfLiteContext* context, TfLiteNode* node) {
  OpHook* const hook = hook_;
  if (hook == nullptr) return invoke(context, node);
  hook->Begin(op_);
  hook_ = nullptr;  // an operator may call others, which belong to it
  const TfLiteStatus status = invoke(context, node);
  hook_ = hook;
  hook->End(op_);
  ++op_;
  return status;
}

const char* Tflm::OpName(uint32_t op) const {
  Operator read;
  model_.ReadOperator(op, &read);
  // The schema ends a string with a zero.
  if (read.custom_name != nullptr) return read.custom_name;
  return tflite::EnumNameBuiltinOperator(static_cast<tflite::BuiltinOperator>(read.builtin_code));
}

bool Tflm::OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const {
  const tflite::Operator* found = FlatOperator(op);
  const flatbuffers::Vector<int32_t>* list = access == Access::kRead ? found->inputs() : found->outputs();
  for (uint32_t i = 0; list != nullptr && i < list->size(); ++i) {
    if (list->Get(i) < 0) continue;
    const tflite::Tensor* told = flat_->subgraphs()->Get(0)->tensors()->Get(static_cast<uint32_t>(list->Get(i)));
    if (told->is_variable() || told->type() == tflite::TensorType_RESOURCE) continue;
    const TfLiteEvalTensor* tensor = interpreter_->Tensor(list->Get(i));
    const uint8_t* data = tensor == nullptr ? nullptr : static_cast<const uint8_t*>(tensor->data.data);
    if (data < arena_ || data >= arena_ + arena_bytes_) continue;  // a constant
    if (k-- != 0) continue;
    size_t bytes = 0;
    tflite::TfLiteEvalTensorByteLength(tensor, &bytes);
    *out = {data, static_cast<uint32_t>(bytes)};
    return true;
  }
  return false;
}

TensorInfo Tflm::Info(uint32_t index) const {
  Tensor tensor;
  model_.ReadTensor(index, &tensor);
  return {tensor.type,       static_cast<uint8_t>(tensor.rank),
          tensor.dims,       tensor.scale(),
          tensor.zero_point, interpreter_->Tensor(static_cast<int32_t>(index))->data.data,
          tensor.bytes};
}

}  // namespace

TfLiteStatus TflmRunOp(TflmInvoke invoke, TfLiteContext* context, TfLiteNode* node) {
  return engine.RunOp(invoke, context, node);
}

Engine& TheEngine() { return engine; }

}  // namespace tinyhil
