// SPDX-License-Identifier: Apache-2.0
#include "interpreter/interpreter.h"

#include "interpreter/planner.h"
#include "interpreter/resolver.h"

namespace tinyhil {

Error Interpreter::Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes) {
  loaded_ = false;
  invokes_ = 0;
  arena_ = arena;
  arena_bytes_ = arena_bytes;
  if (!model_.Open(model, model_bytes)) return model_.reader().error();

  Scope scope(model_.reader(), "subgraphs", 0);
  LoadArena memory(arena, arena_bytes);
  const uint32_t pointer = static_cast<uint32_t>(sizeof(void*));
  tensors_ = static_cast<void**>(memory.Persistent(model_.tensor_count() * pointer));
  nodes_ = static_cast<Node*>(memory.Persistent(model_.operator_count() * static_cast<uint32_t>(sizeof(Node))));
  if (memory.overflowed()) {
    Refuse(memory, memory.persistent_bytes());
    return model_.reader().error();
  }
  memory.MarkFixed();

  bool ok = AddInputs(memory);
  for (uint32_t i = 0; ok && i < model_.operator_count(); ++i) ok = AddOperator(memory, i);
  ok = ok && TouchOutputs(memory) && Place(memory) && BindConstants();
  if (!ok && memory.exhausted() && model_.reader().error().code == Code::kArenaTooSmall) {
    // An operator gave up for want of memory: what was counted until then is the least that is needed.
    Error error = model_.reader().error();
    error.want = memory.persistent_bytes() + memory.buffer_count() * LoadArena::kListed;
    if (error.want <= memory.bytes()) error.want = memory.bytes() + 16;
    error.got = memory.bytes();
    error.want_is_minimum = true;
    return error;
  }
  loaded_ = ok;
  return model_.reader().error();
}

bool Interpreter::Refuse(const LoadArena& arena, uint32_t needed) {
  return model_.reader().Fail(Code::kArenaTooSmall, nullptr, "arena", arena.bytes(), needed);
}

bool Interpreter::AddActivation(LoadArena& arena, uint32_t index, uint32_t op) {
  Tensor tensor;
  if (!model_.ReadTensor(index, &tensor)) return false;
  Reader& reader = model_.reader();
  if (tensor.constant()) {
    return reader.Fail(Code::kModelMalformed, "tensors", "a constant cannot be written", index, 0);
  }
  if (Planned(index)) return reader.Fail(Code::kModelMalformed, "tensors", "written twice", index, 0);
  const uint16_t at = static_cast<uint16_t>(op);
  if (!arena.AddBuffer({tensor.bytes, at, at, &tensors_[index]})) {
    return reader.Fail(Code::kArenaTooSmall, nullptr, "list of buffers");
  }
  tensors_[index] = reinterpret_cast<void*>(static_cast<uintptr_t>(arena.buffer_count()));
  return true;
}

bool Interpreter::AddInputs(LoadArena& arena) {
  for (uint32_t i = 0; i < model_.input_count(); ++i) {
    if (!AddActivation(arena, model_.input(i), 0)) return false;
  }
  return true;
}

bool Interpreter::AddOperator(LoadArena& arena, uint32_t index) {
  Operator op;
  if (!model_.ReadOperator(index, &op)) return false;
  Reader& reader = model_.reader();
  Scope scope(reader, "operators", static_cast<int32_t>(index));
  const bool custom = op.custom_name != nullptr;
  const OpRegistration* registration =
      custom ? FindCustom(op.custom_name, op.custom_name_length) : FindBuiltin(op.builtin_code);
  if (registration == nullptr) {
    return reader.Fail(Code::kOpUnsupported, nullptr, "no such operator in this image", op.builtin_code);
  }
  LoadArena::Buffer* buffers = arena.buffers();
  for (uint32_t i = 0; i < op.input_count; ++i) {
    if (op.inputs[i] < 0) continue;
    const uint32_t tensor = static_cast<uint32_t>(op.inputs[i]);
    if (Planned(tensor)) {
      buffers[reinterpret_cast<uintptr_t>(tensors_[tensor]) - 1].last = static_cast<uint16_t>(index);
      continue;
    }
    Tensor constant;
    if (!model_.ReadTensor(tensor, &constant)) return false;
    if (!constant.constant()) {
      return reader.Fail(Code::kModelMalformed, "inputs", "read before it is written", tensor, 0);
    }
  }
  for (uint32_t i = 0; i < op.output_count; ++i) {
    if (!AddActivation(arena, static_cast<uint32_t>(op.outputs[i]), index)) return false;
  }
  Prepare prepare(model_, arena, op, index);
  if (!prepare.Hand(*registration)) return false;
  nodes_[index] = {prepare.registration(), prepare.data(), op.inputs, op.outputs};
  return reader.ok();
}

bool Interpreter::TouchOutputs(LoadArena& arena) {
  const uint16_t end = static_cast<uint16_t>(model_.operator_count());
  for (uint32_t i = 0; i < model_.output_count(); ++i) {
    const uint32_t index = model_.output(i);
    if (Planned(index)) {
      arena.buffers()[reinterpret_cast<uintptr_t>(tensors_[index]) - 1].last = end;
      continue;
    }
    Tensor tensor;
    if (!model_.ReadTensor(index, &tensor)) return false;
    if (!tensor.constant()) {
      return model_.reader().Fail(Code::kModelMalformed, "outputs", "never written", index, 0, static_cast<int32_t>(i));
    }
  }
  return true;
}

bool Interpreter::Place(LoadArena& arena) {
  LoadArena::Buffer* buffers = arena.buffers();
  const uint32_t count = arena.buffer_count();
  uint32_t sum = 0;  // of all buffers; kept below 2^31 so that no plan can wrap
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t bytes = buffers[i].bytes + kBufferAlignment;
    if (bytes > (1u << 31) - sum) {
      return model_.reader().Fail(Code::kModelUnsupported, "tensors", "two gibibytes of tensors or more");
    }
    sum += bytes;
  }
  uint32_t* offsets = reinterpret_cast<uint32_t*>(buffers + count);
  uint32_t planned = PlanBuffers(buffers, count, offsets);
  const uint32_t list = count * LoadArena::kListed;
  if (planned < list) planned = list;
  const uint32_t needed = (planned + arena.persistent_bytes() + 15) & ~uint32_t{15};
  if (arena.overflowed() || needed > arena.bytes()) return Refuse(arena, needed);
  for (uint32_t i = 0; i < count; ++i) *buffers[i].where = arena.base() + offsets[i];
  arena_used_ = needed;
  return true;
}

bool Interpreter::BindConstant(uint32_t index) {
  if (tensors_[index] != nullptr) return true;
  Tensor tensor;
  if (!model_.ReadTensor(index, &tensor)) return false;
  tensors_[index] = const_cast<void*>(tensor.data);
  return true;
}

// Only what is used: a model may carry tensors, of types unknown here, that nothing reads.
bool Interpreter::BindConstants() {
  for (uint32_t op = 0; op < model_.operator_count(); ++op) {
    const int32_t* inputs = nodes_[op].inputs;
    for (int32_t i = 0; i < inputs[-1]; ++i) {
      if (inputs[i] >= 0 && !BindConstant(static_cast<uint32_t>(inputs[i]))) return false;
    }
  }
  for (uint32_t i = 0; i < model_.output_count(); ++i) {
    if (!BindConstant(model_.output(i))) return false;
  }
  return true;
}

void Interpreter::Invoke(OpHook* hook) {
  const uint32_t count = model_.operator_count();
  for (uint32_t i = 0; i < count; ++i) {
    const Node& node = nodes_[i];
    const Eval eval(tensors_, node.inputs, node.outputs, node.data);
    if (hook != nullptr) hook->Begin(i);
    node.registration->eval(eval);
    if (hook != nullptr) hook->End(i);
  }
  ++invokes_;
}

uint32_t Interpreter::OpPathRuns(uint32_t op) const {
  const Node& node = nodes_[op];
  return node.registration->counts ? *static_cast<const uint32_t*>(node.data) : invokes_;
}

TensorInfo Interpreter::Info(uint32_t index) const {
  Tensor tensor;
  model_.ReadTensor(index, &tensor);
  return {
      tensor.type, static_cast<uint8_t>(tensor.rank), tensor.dims, tensor.scale(), tensor.zero_point, tensors_[index],
      tensor.bytes};
}

bool Interpreter::OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const {
  const int32_t* list = access == Access::kRead ? nodes_[op].inputs : nodes_[op].outputs;
  const uint32_t count = static_cast<uint32_t>(list[-1]);
  for (uint32_t i = 0; i < count; ++i) {
    if (list[i] < 0) continue;
    const uint8_t* data = static_cast<const uint8_t*>(tensors_[list[i]]);
    if (data < arena_ || data >= arena_ + arena_bytes_) continue;  // a constant
    if (k-- != 0) continue;
    Tensor tensor;
    model_.ReadTensor(static_cast<uint32_t>(list[i]), &tensor);
    *out = {data, tensor.bytes};
    return true;
  }
  return false;
}

}  // namespace tinyhil
