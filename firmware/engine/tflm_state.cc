// SPDX-License-Identifier: Apache-2.0
#include "engine/tflm_state.h"

#include <string.h>

#include "interpreter/schema.h"
#include "tensorflow/lite/micro/micro_context.h"
#if __has_include("tensorflow/lite/micro/micro_interpreter_graph.h")
#include "tensorflow/lite/micro/micro_interpreter_graph.h"
#else  // before September 2023
#include "tensorflow/lite/micro/micro_graph.h"
#endif

namespace tinyhil {
namespace {

#if __has_include("tensorflow/lite/micro/micro_interpreter_graph.h")
using MicroGraph = tflite::MicroInterpreterGraph;
#else
using MicroGraph = tflite::MicroGraph;
#endif

bool HasOptions(Model& model, const Operator& op, schema::Options type) {
  if (op.options_type == type) return true;
  return model.reader().Fail(Code::kModelMalformed, "builtin_options_type", "options of another operator, or none",
                             op.options_type, type);
}

// Whether the zero is there that the schema has after a string.
bool Ends(Model& model, const Vector& text, const char* field) {
  const uint32_t end = text.offset + text.count;
  Reader& reader = model.reader();
  if (reader.Contains(end, 1, 1) && reader.base()[end] == 0) return true;
  return reader.Fail(Code::kModelMalformed, field, "a string without an end");
}

bool Same(const flatbuffers::String* a, const flatbuffers::String* b) { return strcmp(a->c_str(), b->c_str()) == 0; }

// As TFLite Micro does it: a handle without a container names the first variable of its name.
bool NamesSame(const tflite::VarHandleOptions* handle, const tflite::VarHandleOptions* earlier) {
  return (handle->container() == nullptr || Same(handle->container(), earlier->container())) &&
         Same(handle->shared_name(), earlier->shared_name());
}

// Calls visit(options) for each VAR_HANDLE of the file, in its order, until it returns false.
template <typename Visit>
void ForEachHandle(const tflite::Model& model, Visit visit) {
  for (const tflite::SubGraph* graph : *model.subgraphs()) {
    for (uint32_t i = 0; graph->operators() != nullptr && i < graph->operators()->size(); ++i) {
      const auto* options = graph->operators()->Get(i)->builtin_options_as_VarHandleOptions();
      if (options != nullptr && !visit(options)) return;
    }
  }
}

}  // namespace

bool TflmState::CheckHandle(Model& model, const Operator& op) {
  if (!HasOptions(model, op, schema::kVarHandleOptions)) return false;
  const Vector container = op.options.VectorOf(schema::kVarHandleContainer, "container", 1);
  const Vector name = op.options.VectorOf(schema::kVarHandleName, "shared_name", 1);
  Reader& reader = model.reader();
  if (!reader.ok()) return false;
  if (!name.present) return reader.Fail(Code::kModelMalformed, "shared_name", "a variable needs a name");
  if (!Ends(model, name, "shared_name") || (container.present && !Ends(model, container, "container"))) return false;
  if (container.present && lacks_container_) {
    return reader.Fail(Code::kModelUnsupported, "container", "of some variables, and none of others");
  }
  handles_ = true;
  lacks_container_ = lacks_container_ || !container.present;
  return true;
}

bool TflmState::CheckCall(Model& model, const Operator& op) {
  if (!HasOptions(model, op, schema::kCallOnceOptions)) return false;
  const uint32_t subgraph = op.options.U32(schema::kCallOnceSubgraph, "init_subgraph_index", 0);
  Reader& reader = model.reader();
  if (!reader.ok()) return false;
  if (subgraph == 0 || subgraph >= model.subgraph_count()) {
    return reader.Fail(Code::kModelMalformed, "init_subgraph_index", "no such subgraph to call", subgraph,
                       model.subgraph_count());
  }
  if (model.subgraph() != 0) {
    return reader.Fail(Code::kModelUnsupported, nullptr, "a call inside a called subgraph is not supported");
  }
  calls_ = true;
  return true;
}

bool TflmState::Check(Model& model, const Operator& op) {
  if (op.builtin_code == schema::kVarHandle) return CheckHandle(model, op);
  if (op.builtin_code == schema::kCallOnce) return CheckCall(model, op);
  return true;
}

uint32_t TflmState::Variables(const tflite::Model& model) const {
  uint32_t variables = 0;
  if (!handles_) return variables;
  ForEachHandle(model, [&](const tflite::VarHandleOptions* handle) {
    bool known = false;
    ForEachHandle(model, [&](const tflite::VarHandleOptions* earlier) {
      known = earlier != handle && NamesSame(handle, earlier);
      return earlier != handle && !known;
    });
    if (!known) ++variables;
    return true;
  });
  return variables;
}

// TFLite Micro's reset() leaves alone what its CALL_ONCE notes of having run; preparing it again does not.
void TflmState::ForgetCalls(const tflite::Model& model, TfLiteContext* context) const {
  if (!calls_) return;
  auto* allocations = static_cast<MicroGraph&>(tflite::GetMicroContext(context)->graph()).GetAllocations();
  const uint32_t count = model.subgraphs()->Get(0)->operators()->size();
  for (uint32_t i = 0; i < count; ++i) {
    auto& found = allocations[0].node_and_registrations[i];
    if (found.registration->builtin_code == tflite::BuiltinOperator_CALL_ONCE) {
      found.registration->prepare(context, &found.node);
    }
  }
}

}  // namespace tinyhil
