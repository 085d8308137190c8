// SPDX-License-Identifier: Apache-2.0
// CALL_ONCE: runs a subgraph in the first inference after the state was reset, and does nothing in later ones. It is
// how variables get their first values.
#include "kernels/ops.h"

namespace tinyhil {
namespace {

struct CallData {
  CalledGraph* graph;
};

bool PrepareCallOnce(Prepare& op) {
  Table options;
  if (!op.Expect(0, 0, 0) || !op.Options(schema::kCallOnceOptions, &options)) return false;
  const uint32_t subgraph = options.U32(schema::kCallOnceSubgraph, "init_subgraph_index", 0);
  if (!op.ok()) return false;
  CalledGraph* graph = op.Calls(subgraph);
  if (graph == nullptr) return false;
  CallData* data = op.Data<CallData>();
  if (data == nullptr) return false;
  data->graph = graph;
  return true;
}

void EvalCallOnce(const Eval& op) { op.Data<CallData>().graph->RunOnce(); }

}  // namespace

extern const OpRegistration kOp_CALL_ONCE = {schema::kCallOnce, "CALL_ONCE", PrepareCallOnce, EvalCallOnce};

}  // namespace tinyhil
