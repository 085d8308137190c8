// SPDX-License-Identifier: Apache-2.0
#include "interpreter/interpreter.h"

#include "interpreter/planner.h"
#include "interpreter/resolver.h"

namespace tinyhil {

namespace {

constexpr uint16_t kForEver = 0xFFFF;

// While loading, what Graph::tensors holds of a tensor is told by its two lowest bits: 0 the address of a constant
// (null: nothing yet), 1 its place in the list of buffers, 3 the number of the variable whose handle it is.
constexpr uintptr_t kKind = 3, kBuffer = 1, kHandle = 3;
constexpr uintptr_t kUndeclared = ~uintptr_t{0};

void* Marked(uintptr_t kind, uint32_t number) { return reinterpret_cast<void*>(uintptr_t{number} << 2 | kind); }

uintptr_t Mark(const Graph& graph, uint32_t tensor) { return reinterpret_cast<uintptr_t>(graph.tensors[tensor]); }

bool IsHandle(const Graph& graph, uint32_t tensor) { return (Mark(graph, tensor) & kKind) == kHandle; }
bool IsBuffer(const Graph& graph, uint32_t tensor) { return (Mark(graph, tensor) & kKind) == kBuffer; }

void Extend(LoadArena& arena, const Graph& graph, uint32_t tensor, uint32_t time) {
  LoadArena::Buffer& buffer = arena.buffers()[Mark(graph, tensor) >> 2];
  if (buffer.last < time) buffer.last = static_cast<uint16_t>(time);
}

// Whether two strings of the model are the same.
bool Same(const Reader& reader, const Vector& a, const Vector& b) {
  if (a.present != b.present || a.count != b.count) return false;
  return a.count == 0 || __builtin_memcmp(reader.base() + a.offset, reader.base() + b.offset, a.count) == 0;
}

}  // namespace

Error Interpreter::Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes) {
  loaded_ = has_variables_ = false;
  called_count_ = called_taken_ = variable_count_ = time_ = 0;
  invokes_ = 0;
  arena_ = arena;
  arena_bytes_ = arena_bytes;
  if (!model_.Open(model, model_bytes)) return model_.reader().error();

  LoadArena memory(arena, arena_bytes);
  NewGraph(memory, &main_);
  if (!FindState(memory)) return model_.reader().error();
  bool ok = !memory.overflowed();
  if (!ok) {
    Scope scope(model_.reader(), "subgraphs", 0);
    Refuse(memory, memory.persistent_bytes());
    return model_.reader().error();
  }
  memory.MarkFixed();

  ok = LoadGraph(memory, main_) && CheckVariables();
  if (ok) {
    ForgetHandles(main_);
    for (uint32_t i = 0; i < called_count_; ++i) ForgetHandles(called_[i]);
    Scope scope(model_.reader(), "subgraphs", 0);
    ok = Place(memory);
  }
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
  if (ok) ResetState();
  return model_.reader().error();
}

bool Interpreter::Refuse(const LoadArena& arena, uint32_t needed) {
  return model_.reader().Fail(Code::kArenaTooSmall, nullptr, "arena", arena.bytes(), needed);
}

// Of the subgraph that is selected.
void Interpreter::NewGraph(LoadArena& arena, Graph* graph) {
  graph->op_count = model_.operator_count();
  graph->tensor_count = model_.tensor_count();
  graph->tensors = static_cast<void**>(arena.Persistent(graph->tensor_count * static_cast<uint32_t>(sizeof(void*))));
  graph->nodes = static_cast<Node*>(arena.Persistent(graph->op_count * static_cast<uint32_t>(sizeof(Node))));
}

// Sets memory aside for called subgraphs and for variables, before anything that an overflow may overwrite.
bool Interpreter::FindState(LoadArena& arena) {
  const bool has_calls = model_.Lists(schema::kCallOnce);
  const bool has_handles = model_.Lists(schema::kVarHandle);
  if (!model_.reader().ok()) return false;
  if (!has_calls && !has_handles) return true;
  uint32_t handles = 0;
  if (!FindStateOf(0, &called_count_, &handles)) return false;
  called_ = static_cast<CalledGraph*>(arena.Persistent(called_count_ * static_cast<uint32_t>(sizeof(CalledGraph))));
  if (arena.overflowed()) return true;
  uint32_t next = 0;
  for (uint32_t i = 0; i < main_.op_count && next < called_count_; ++i) {
    Operator op;
    if (!model_.ReadOperator(i, &op)) return false;
    if (op.builtin_code != schema::kCallOnce) continue;
    Scope graph_scope(model_.reader(), "subgraphs", 0);
    Scope scope(model_.reader(), "operators", static_cast<int32_t>(i));
    const uint32_t subgraph = op.options.U32(schema::kCallOnceSubgraph, "init_subgraph_index", 0);
    if (subgraph == 0 || subgraph >= model_.subgraph_count()) {
      return model_.reader().Fail(Code::kModelMalformed, "init_subgraph_index", "no such subgraph to call", subgraph,
                                  model_.subgraph_count());
    }
    called_[next++].subgraph = subgraph;
  }
  for (uint32_t i = 0; i < called_count_; ++i) {
    uint32_t calls = 0;
    if (!FindStateOf(called_[i].subgraph, &calls, &handles)) return false;
    NewGraph(arena, &called_[i]);
    if (arena.overflowed()) break;
  }
  if (called_count_ != 0 && !model_.Select(0)) return false;
  variables_ = static_cast<Variable*>(arena.Persistent(handles * static_cast<uint32_t>(sizeof(Variable))));
  return true;
}

bool Interpreter::FindStateOf(uint32_t subgraph, uint32_t* calls, uint32_t* handles) {
  if (!model_.Select(subgraph)) return false;
  Scope scope(model_.reader(), "subgraphs", static_cast<int32_t>(subgraph));
  for (uint32_t i = 0; i < model_.operator_count(); ++i) {
    Operator op;
    if (!model_.ReadOperator(i, &op)) return false;
    if (op.builtin_code == schema::kCallOnce) ++*calls;
    if (op.builtin_code == schema::kVarHandle) ++*handles;
  }
  return true;
}

// The selected subgraph's operators, in the order in which they run, and those of the subgraphs that they call.
bool Interpreter::LoadGraph(LoadArena& arena, Graph& graph) {
  Reader& reader = model_.reader();
  {
    Scope scope(reader, "subgraphs", static_cast<int32_t>(model_.subgraph()));
    if (!AddInputs(arena, graph)) return false;
  }
  for (uint32_t i = 0; i < graph.op_count; ++i) {
    const uint32_t calls = called_taken_;
    {
      Scope scope(reader, "subgraphs", static_cast<int32_t>(model_.subgraph()));
      if (time_ >= kForEver - 1) {
        return reader.Fail(Code::kModelUnsupported, "operators", "too many in all subgraphs", time_, kForEver - 1);
      }
      if (!AddOperator(arena, graph, i)) return false;
      ++time_;
    }
    if (calls != called_taken_ && !LoadCalled(arena)) return false;
  }
  Scope scope(reader, "subgraphs", static_cast<int32_t>(model_.subgraph()));
  return TouchOutputs(arena, graph);
}

bool Interpreter::LoadCalled(LoadArena& arena) {
  CalledGraph& graph = called_[called_taken_ - 1];
  if (!model_.Select(graph.subgraph)) return false;
  if (model_.input_count() != 0) {
    Scope scope(model_.reader(), "subgraphs", static_cast<int32_t>(graph.subgraph));
    return model_.reader().Fail(Code::kModelUnsupported, "inputs", "a subgraph that is called once takes none",
                                model_.input_count(), 0);
  }
  return LoadGraph(arena, graph) && model_.Select(0);
}

bool Interpreter::AddVariable(LoadArena& arena, Graph& graph, const Tensor& tensor) {
  Tensor whole;  // ResetState reads it again, and cannot fail
  if (!model_.ReadTensor(tensor.index, &whole)) return false;
  if (tensor.constant()) {
    return model_.reader().Fail(Code::kModelMalformed, "tensors", "a variable cannot be a constant", tensor.index);
  }
  has_variables_ = true;
  if (!arena.AddBuffer({tensor.bytes, 0, kForEver, &graph.tensors[tensor.index]})) {
    return model_.reader().Fail(Code::kArenaTooSmall, nullptr, "list of buffers");
  }
  graph.tensors[tensor.index] = Marked(kBuffer, arena.buffer_count() - 1);
  return true;
}

bool Interpreter::AddActivation(LoadArena& arena, Graph& graph, uint32_t index) {
  Tensor tensor;
  if (!model_.ReadShapeAndData(index, &tensor)) return false;
  Reader& reader = model_.reader();
  if (tensor.variable) return graph.tensors[index] != nullptr || AddVariable(arena, graph, tensor);
  if (tensor.constant()) {
    return reader.Fail(Code::kModelMalformed, "tensors", "a constant cannot be written", index, 0);
  }
  if (graph.tensors[index] != nullptr) {
    return reader.Fail(Code::kModelMalformed, "tensors", "written twice", index, 0);
  }
  if (tensor.type == TensorType::kResource) {
    graph.tensors[index] = reinterpret_cast<void*>(kUndeclared);
    return true;
  }
  const uint16_t at = static_cast<uint16_t>(time_);
  if (!arena.AddBuffer({tensor.bytes, at, at, &graph.tensors[index]})) {
    return reader.Fail(Code::kArenaTooSmall, nullptr, "list of buffers");
  }
  graph.tensors[index] = Marked(kBuffer, arena.buffer_count() - 1);
  return true;
}

bool Interpreter::AddInputs(LoadArena& arena, Graph& graph) {
  for (uint32_t i = 0; i < model_.input_count(); ++i) {
    const uint32_t tensor = model_.input(i);
    Tensor whole;  // Info reads it again, and cannot fail
    if (!AddActivation(arena, graph, tensor) || !model_.ReadTensor(tensor, &whole)) return false;
    if (has_variables_) {
      return model_.reader().Fail(Code::kModelUnsupported, "inputs", "a variable cannot be an input", tensor, 0,
                                  static_cast<int32_t>(i));
    }
    if (IsHandle(graph, tensor)) {
      return model_.reader().Fail(Code::kModelUnsupported, "inputs", "a variable's handle cannot be an input", tensor,
                                  0, static_cast<int32_t>(i));
    }
  }
  return true;
}

bool Interpreter::AddInput(LoadArena& arena, Graph& graph, uint32_t tensor, bool may_be_handle) {
  Reader& reader = model_.reader();
  if (graph.tensors[tensor] != nullptr) {
    if (IsBuffer(graph, tensor)) Extend(arena, graph, tensor, time_);
    if (!IsHandle(graph, tensor)) return true;
    if (may_be_handle) return true;
    return reader.Fail(Code::kModelUnsupported, "inputs", "a variable's handle can only be read or assigned through",
                       tensor);
  }
  Tensor unwritten;
  if (!model_.ReadShapeAndData(tensor, &unwritten)) return false;
  if (unwritten.variable) return AddVariable(arena, graph, unwritten);
  if (!unwritten.constant()) {
    return reader.Fail(Code::kModelMalformed, "inputs", "read before it is written", tensor, 0);
  }
  graph.tensors[tensor] = const_cast<void*>(unwritten.data);
  return true;
}

bool Interpreter::AddOperator(LoadArena& arena, Graph& graph, uint32_t index) {
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
  for (uint32_t i = 0; i < op.input_count; ++i) {
    if (op.inputs[i] < 0) continue;
    const bool through_handle = op.builtin_code == schema::kReadVariable || op.builtin_code == schema::kAssignVariable;
    if (!AddInput(arena, graph, static_cast<uint32_t>(op.inputs[i]), through_handle && i == 0)) return false;
  }
  for (uint32_t i = 0; i < op.output_count; ++i) {
    if (!AddActivation(arena, graph, static_cast<uint32_t>(op.outputs[i]))) return false;
  }
  Prepare prepare(*this, model_, arena, graph, op, time_);
  if (!prepare.Hand(*registration)) return false;
  for (uint32_t i = 0; i < op.output_count; ++i) {
    const uint32_t output = static_cast<uint32_t>(op.outputs[i]);
    if (Mark(graph, output) == kUndeclared) {
      return reader.Fail(Code::kModelUnsupported, "outputs", "only VAR_HANDLE makes the handle of a variable", output);
    }
  }
  graph.nodes[index] = {prepare.registration(), prepare.data(), op.inputs, op.outputs};
  return reader.ok();
}

bool Interpreter::TouchOutputs(LoadArena& arena, Graph& graph) {
  for (uint32_t i = 0; i < model_.output_count(); ++i) {
    const uint32_t index = model_.output(i);
    Tensor tensor;
    if (!model_.ReadTensor(index, &tensor)) return false;
    if (graph.tensors[index] != nullptr) {
      if (IsHandle(graph, index)) {
        return model_.reader().Fail(Code::kModelUnsupported, "outputs", "a variable's handle cannot be an output",
                                    index, 0, static_cast<int32_t>(i));
      }
      if (IsBuffer(graph, index)) Extend(arena, graph, index, time_);
      continue;
    }
    if (tensor.variable) {
      if (!AddVariable(arena, graph, tensor)) return false;
    } else if (!tensor.constant()) {
      return model_.reader().Fail(Code::kModelMalformed, "outputs", "never written", index, 0, static_cast<int32_t>(i));
    } else {
      graph.tensors[index] = const_cast<void*>(tensor.data);
    }
  }
  return true;
}

// They have done their work, and what lies in the arena may have addresses that look like one.
void Interpreter::ForgetHandles(Graph& graph) {
  for (uint32_t i = 0; variable_count_ != 0 && i < graph.tensor_count; ++i) {
    if (IsHandle(graph, i)) graph.tensors[i] = nullptr;
  }
}

bool Interpreter::CheckVariables() {
  for (uint32_t i = 0; i < variable_count_; ++i) {
    if (variables_[i].read && variables_[i].first_assigner == 0) {
      return model_.reader().Fail(Code::kModelMalformed, "operators", "a variable is read that no operator assigns", i);
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

bool Interpreter::DeclareVariable(Graph& graph, uint32_t handle, const Vector& container, const Vector& name) {
  uint32_t number = 0;
  while (number < variable_count_ &&
         !(Same(model_.reader(), variables_[number].name, name) &&
           (!container.present || Same(model_.reader(), variables_[number].container, container)))) {
    ++number;
  }
  if (number == variable_count_) {
    variables_[number].container = container;
    variables_[number].name = name;
    ++variable_count_;
  }
  graph.tensors[handle] = Marked(kHandle, number);
  return true;
}

Variable* Interpreter::VariableOf(const Graph& graph, uint32_t handle) {
  const uintptr_t mark = Mark(graph, handle);
  return (mark & kKind) != kHandle || mark == kUndeclared ? nullptr : &variables_[mark >> 2];
}

// The subgraphs that are called were found before; their calls come in the same order.
CalledGraph* Interpreter::NextCalled(uint32_t subgraph) {
  if (model_.subgraph() != 0) {
    model_.reader().Fail(Code::kModelUnsupported, nullptr, "a call inside a called subgraph is not supported");
    return nullptr;
  }
  if (called_taken_ >= called_count_ || called_[called_taken_].subgraph != subgraph) {
    model_.reader().Fail(Code::kModelMalformed, "init_subgraph_index", "no such subgraph to call", subgraph);
    return nullptr;
  }
  return &called_[called_taken_++];
}

bool Prepare::DeclareVariable(const Vector& container, const Vector& name) {
  Tensor handle;
  if (!Output(0, &handle)) return false;
  if (handle.type != TensorType::kResource) {
    return Fail(Code::kModelUnsupported, "outputs[0]", "must be a resource", static_cast<uint32_t>(handle.type),
                static_cast<uint32_t>(TensorType::kResource));
  }
  return interpreter_.DeclareVariable(graph_, handle.index, container, name);
}

Variable* Prepare::FindVariable(uint32_t input, const Tensor& value) {
  Variable* variable =
      HasInput(input) ? interpreter_.VariableOf(graph_, static_cast<uint32_t>(op_.inputs[input])) : nullptr;
  if (variable == nullptr) {
    Fail(Code::kModelUnsupported, "inputs[0]", "must be a handle that VAR_HANDLE makes");
    return nullptr;
  }
  if (variable->bytes == 0) {
    variable->bytes = value.bytes;
    if (!arena_.AddBuffer({value.bytes, 0, kForEver, &variable->data})) {
      Fail(Code::kArenaTooSmall, nullptr, "list of buffers");
      return nullptr;
    }
  }
  if (variable->bytes != value.bytes) {
    Fail(Code::kModelMalformed, "inputs", "a variable of another size", value.bytes, variable->bytes);
    return nullptr;
  }
  return variable;
}

bool Prepare::ReadsVariable(uint32_t input, const Tensor& value, const Variable** out) {
  Variable* variable = FindVariable(input, value);
  if (variable == nullptr) return false;
  variable->read = true;
  *out = variable;
  return true;
}

bool Prepare::AssignsVariable(uint32_t input, const Tensor& value, const Variable** out) {
  Variable* variable = FindVariable(input, value);
  if (variable == nullptr) return false;
  // The first assignment of the subgraph that comes first in the file, wherever it is called.
  const uint32_t subgraph = model_.subgraph() + 1;
  if (variable->first_assigner == 0 || subgraph < variable->first_assigner) {
    variable->first_assigner = static_cast<uint8_t>(subgraph);
    variable->fill = static_cast<uint8_t>(value.zero_point);
  }
  *out = variable;
  return true;
}

CalledGraph* Prepare::Calls(uint32_t subgraph) { return interpreter_.NextCalled(subgraph); }

void Graph::Run(uint32_t op) const {
  const Node& node = nodes[op];
  node.registration->eval(Eval(tensors, node.inputs, node.outputs, node.data));
}

void CalledGraph::RunOnce() {
  if (has_run) return;
  for (uint32_t op = 0; op < op_count; ++op) Run(op);
  has_run = true;
}

void Interpreter::Invoke(OpHook* hook) {
  const uint32_t count = main_.op_count;
  for (uint32_t i = 0; i < count; ++i) {
    if (hook != nullptr) hook->Begin(i);
    main_.Run(i);
    if (hook != nullptr) hook->End(i);
  }
  ++invokes_;
}

uint32_t Interpreter::OpPathRuns(uint32_t op) const {
  const Node& node = main_.nodes[op];
  return node.registration->counts ? *static_cast<const uint32_t*>(node.data) : invokes_;
}

void Interpreter::ResetTensors(const Graph& graph) {
  for (uint32_t i = 0; i < graph.tensor_count; ++i) {
    uint8_t* data = static_cast<uint8_t*>(graph.tensors[i]);
    if (data < arena_ || data >= arena_ + arena_bytes_) continue;
    Tensor tensor;
    model_.ReadTensor(i, &tensor);
    if (!tensor.variable) continue;
    const int32_t zero = tensor.type == TensorType::kInt8 ? tensor.zero_point : 0;
    __builtin_memset(data, static_cast<uint8_t>(zero), tensor.bytes);
  }
}

void Interpreter::ResetState() {
  for (uint32_t i = 0; i < variable_count_; ++i) {
    if (variables_[i].bytes != 0) __builtin_memset(variables_[i].data, variables_[i].fill, variables_[i].bytes);
  }
  for (uint32_t i = 0; i < called_count_; ++i) called_[i].has_run = false;
  if (!has_variables_) return;
  ResetTensors(main_);
  for (uint32_t i = 0; i < called_count_; ++i) {
    model_.Select(called_[i].subgraph);
    ResetTensors(called_[i]);
  }
  model_.Select(0);
}

TensorInfo Interpreter::Info(uint32_t index) const {
  Tensor tensor;
  model_.ReadTensor(index, &tensor);
  return {tensor.type,       static_cast<uint8_t>(tensor.rank),
          tensor.dims,       tensor.scale(),
          tensor.zero_point, main_.tensors[index],
          tensor.bytes};
}

bool Interpreter::OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const {
  const Node& node = main_.nodes[op];
  const int32_t* list = access == Access::kRead ? node.inputs : node.outputs;
  const uint32_t count = static_cast<uint32_t>(list[-1]);
  for (uint32_t i = 0; i < count; ++i) {
    if (list[i] < 0) continue;
    const uint8_t* data = static_cast<const uint8_t*>(main_.tensors[list[i]]);
    if (data < arena_ || data >= arena_ + arena_bytes_) continue;  // a constant, or a handle
    Tensor tensor;
    if (has_variables_ || k == 0) model_.ReadShapeAndData(static_cast<uint32_t>(list[i]), &tensor);
    if (tensor.variable || k-- != 0) continue;
    *out = {data, tensor.bytes};
    return true;
  }
  return false;
}

}  // namespace tinyhil
