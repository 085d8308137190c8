// SPDX-License-Identifier: Apache-2.0
// What Load makes of a subgraph, and what lasts from one inference to the next.
#ifndef TINYHIL_INTERPRETER_GRAPH_H_
#define TINYHIL_INTERPRETER_GRAPH_H_

#include <stdint.h>

#include "interpreter/flatbuffer.h"

namespace tinyhil {

struct OpRegistration;

// An operator that is ready to run.
struct Node {
  const OpRegistration* registration;
  void* data;
  const int32_t* inputs;
  const int32_t* outputs;
};

struct Graph {
  Node* nodes;
  void** tensors;  // where each lies; while loading: 1 + the activation's place in the list of buffers, or kHandle
  uint32_t op_count;
  uint32_t tensor_count;

  void Run(uint32_t op) const;
};

// A subgraph that an operator calls in the first inference and never again.
struct CalledGraph : Graph {
  uint32_t subgraph;
  bool has_run;

  void RunOnce();
};

// A variable that operators read and assign through handles (resource tensors). Handles with the same names stand for
// the same variable.
struct Variable {
  Vector container, name;
  uint32_t bytes;  // 0: no operator told yet
  void* data;
  uint8_t fill;            // of every byte, until it is assigned
  uint8_t first_assigner;  // 1 + the subgraph whose ASSIGN_VARIABLE said what `fill` is; 0: none yet
  bool read;
};

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_GRAPH_H_
