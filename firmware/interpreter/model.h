// SPDX-License-Identifier: Apache-2.0
// The model as the interpreter sees it: tables of the file, read in place and checked as they are read.
//
// Nothing is cached: a view is parsed again when it is asked for, which costs a few hundred instructions and no
// RAM. Only Load reads models; Invoke never does.
//
// Limits: 255 subgraphs, tensors of rank 6 at most, and in a subgraph 65,534 operators and 65,535 tensors.
#ifndef TINYHIL_INTERPRETER_MODEL_H_
#define TINYHIL_INTERPRETER_MODEL_H_

#include <stdint.h>

#include "engine/engine.h"
#include "interpreter/flatbuffer.h"

namespace tinyhil {

// One tensor. Pointers lead into the file.
struct Tensor {
  static constexpr uint32_t kMaxRank = 6;

  uint32_t index = 0;
  TensorType type = TensorType::kFloat32;
  uint32_t rank = 0;
  const int32_t* dims = nullptr;
  uint32_t elements = 0;
  uint32_t bytes = 0;
  const void* data = nullptr;  // the constant's bytes; null for an activation
  const float* scales = nullptr;
  uint32_t scale_count = 0;  // 0: not quantized; 1: per tensor; else one for each entry of `quantized_dimension`
  int32_t quantized_dimension = 0;
  int32_t zero_point = 0;  // of the whole tensor; per-channel ones must all be 0

  bool variable = false;  // keeps its value from one inference to the next

  bool constant() const { return data != nullptr; }
  float scale() const { return scale_count == 0 ? 0.0f : scales[0]; }
  int32_t dim(uint32_t i) const { return dims[i]; }
};

struct Operator {
  uint32_t builtin_code = 0;
  const char* custom_name = nullptr;  // not null-terminated; null for a builtin operator
  uint32_t custom_name_length = 0;
  const int32_t* inputs = nullptr;  // tensor indices, -1: left out. inputs[-1] is their count, as the file has it
  const int32_t* outputs = nullptr;
  uint32_t input_count = 0;
  uint32_t output_count = 0;
  uint8_t options_type = 0;
  Table options;
  Vector custom_options;
};

class Model {
 public:
  // Checks the header and the version, and selects the main subgraph. On failure reader().error() tells.
  bool Open(const uint8_t* data, uint32_t bytes);

  // Turns to a subgraph and checks its lists; index < subgraph_count(). What follows is about it, until the next call.
  bool Select(uint32_t subgraph);
  uint32_t subgraph() const { return subgraph_; }
  uint32_t subgraph_count() const { return subgraphs_.count; }

  // Whether the file lists the operator at all.
  bool Lists(uint32_t builtin_code);

  Reader& reader() { return reader_; }
  uint32_t tensor_count() const { return tensors_.count; }
  uint32_t operator_count() const { return operators_.count; }
  uint32_t input_count() const { return inputs_.count; }
  uint32_t output_count() const { return outputs_.count; }
  uint32_t input(uint32_t i) const { return Index(inputs_, i); }
  uint32_t output(uint32_t i) const { return Index(outputs_, i); }

  bool ReadTensor(uint32_t index, Tensor* out);
  bool ReadShapeAndData(uint32_t index, Tensor* out);  // all but its quantization, which may be hundreds of scales
  bool ReadOperator(uint32_t index, Operator* out);

 private:
  uint32_t Index(const Vector& list, uint32_t i) const { return LoadU32(reader_.base() + list.offset + 4 * i); }
  bool ReadPlain(uint32_t index, Tensor* out, Table* table);
  bool ReadQuantization(const Table& table, Tensor* out);
  bool ReadConstant(const Table& table, Tensor* out);
  bool CheckList(const Vector& list, const char* field);
  bool ReadCode(const Table& code, uint32_t* builtin);

  Reader reader_;
  Table root_, graph_;
  uint32_t subgraph_ = 0;
  Vector codes_, buffers_, subgraphs_, tensors_, operators_, inputs_, outputs_;
};

uint32_t BytesOf(TensorType type);  // of one element; 0 for a type the interpreter does not know

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_MODEL_H_
