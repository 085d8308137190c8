// SPDX-License-Identifier: Apache-2.0
#include "interpreter/model.h"

#include "interpreter/schema.h"

namespace tinyhil {

using namespace schema;  // NOLINT: field names of the file format

namespace {
constexpr Code kBad = Code::kModelMalformed;
constexpr Code kUnsupported = Code::kModelUnsupported;

bool Positive(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits > 0 && bits < 0x7F800000u;  // not zero, negative, infinite or NaN
}
}  // namespace

uint32_t BytesOf(TensorType type) {
  switch (type) {
    case TensorType::kInt8:
    case TensorType::kUint8:
    case TensorType::kBool:
      return 1;
    case TensorType::kInt16:
      return 2;
    case TensorType::kFloat32:
    case TensorType::kInt32:
      return 4;
    case TensorType::kInt64:
      return 8;
    case TensorType::kResource:
      return 4;  // as the file counts it; nothing is ever stored there
  }
  return 0;
}

bool Model::Open(const uint8_t* data, uint32_t bytes) {
  reader_ = Reader(data, bytes);
  const Table root = Table::Root(reader_);
  if (!reader_.ok()) return false;
  const uint32_t version = root.U32(kModelVersion, "version", 0);
  if (version != 3) return reader_.Fail(kUnsupported, "version", "schema version must be 3", version, 3);
  codes_ = root.VectorOf(kModelOperatorCodes, "operator_codes", 4);
  buffers_ = root.VectorOf(kModelBuffers, "buffers", 4);
  subgraphs_ = root.VectorOf(kModelSubgraphs, "subgraphs", 4);
  if (!reader_.ok()) return false;
  if (subgraphs_.count == 0) return reader_.Fail(kBad, "subgraphs", "there is none", 0, 1);
  if (subgraphs_.count > 255) return reader_.Fail(kUnsupported, "subgraphs", "too many", subgraphs_.count, 255);
  root_ = root;
  if (!Select(0)) return false;
  Scope scope(reader_, "subgraphs", 0);
  if (inputs_.count == 0) return reader_.Fail(kBad, "inputs", "a model needs an input", 0, 1);
  if (outputs_.count == 0) return reader_.Fail(kBad, "outputs", "a model needs an output", 0, 1);
  return true;
}

bool Model::Select(uint32_t subgraph) {
  subgraph_ = subgraph;
  Scope scope(reader_, "subgraphs", static_cast<int32_t>(subgraph));
  graph_ = root_.Element(subgraphs_, subgraph, nullptr);
  tensors_ = graph_.VectorOf(kGraphTensors, "tensors", 4);
  operators_ = graph_.VectorOf(kGraphOperators, "operators", 4);
  inputs_ = graph_.VectorOf(kGraphInputs, "inputs", 4);
  outputs_ = graph_.VectorOf(kGraphOutputs, "outputs", 4);
  if (!reader_.ok()) return false;
  if (operators_.count > 0xFFFE) {
    return reader_.Fail(kUnsupported, "operators", "too many operators", operators_.count, 0xFFFE);
  }
  if (tensors_.count > 0xFFFF) return reader_.Fail(kUnsupported, "tensors", "too many", tensors_.count, 0xFFFF);
  return CheckList(inputs_, "inputs") && CheckList(outputs_, "outputs");
}

bool Model::CheckList(const Vector& list, const char* field) {
  for (uint32_t i = 0; i < list.count; ++i) {
    if (Index(list, i) >= tensors_.count) {
      return reader_.Fail(kBad, field, "no such tensor", Index(list, i), tensors_.count, static_cast<int32_t>(i));
    }
  }
  return true;
}

bool Model::ReadTensor(uint32_t index, Tensor* out) {
  Scope scope(reader_, "tensors", static_cast<int32_t>(index));
  Table table;
  return ReadPlain(index, out, &table) && ReadQuantization(table, out) && ReadConstant(table, out);
}

bool Model::ReadShapeAndData(uint32_t index, Tensor* out) {
  Scope scope(reader_, "tensors", static_cast<int32_t>(index));
  Table table;
  return ReadPlain(index, out, &table) && ReadConstant(table, out);
}

bool Model::ReadPlain(uint32_t index, Tensor* out, Table* found) {
  *out = Tensor{};
  out->index = index;
  if (index >= tensors_.count) return reader_.Fail(kBad, nullptr, "no such tensor", index, tensors_.count);
  const Table table = *found = graph_.Element(tensors_, index, nullptr);
  const uint8_t type = table.U8(kTensorType, "type", 0);
  const Vector shape = table.VectorOf(kTensorShape, "shape", 4);
  if (!reader_.ok()) return false;
  out->type = static_cast<TensorType>(type);
  uint32_t bytes = BytesOf(out->type);
  if (bytes == 0) return reader_.Fail(kUnsupported, "type", "no such tensor type here", type);
  if (shape.count > Tensor::kMaxRank) {
    return reader_.Fail(kUnsupported, "shape", "too many dimensions", shape.count, Tensor::kMaxRank);
  }
  if (table.Has(kTensorSparsity)) return reader_.Fail(kUnsupported, "sparsity", "sparse tensors are not supported");
  out->variable = table.U8(kTensorIsVariable, "is_variable", 0) != 0;
  out->rank = shape.count;
  out->dims = reinterpret_cast<const int32_t*>(reader_.base() + shape.offset);
  uint32_t elements = 1;
  for (uint32_t i = 0; i < shape.count; ++i) {
    const int32_t dim = out->dims[i];
    if (dim < 1) {
      return reader_.Fail(kBad, "shape", "a dimension below 1", static_cast<uint32_t>(dim), 1, static_cast<int32_t>(i));
    }
    // Products stay below 2^30 bytes, so that sums of a few never wrap.
    if (static_cast<uint32_t>(dim) > (1u << 30) / bytes / elements) {
      return reader_.Fail(kUnsupported, "shape", "tensor of a gibibyte or more", static_cast<uint32_t>(dim),
                          (1u << 30) / bytes / elements, static_cast<int32_t>(i));
    }
    elements *= static_cast<uint32_t>(dim);
  }
  out->elements = elements;
  out->bytes = elements * bytes;
  return true;
}

bool Model::ReadQuantization(const Table& tensor, Tensor* out) {
  const Table table = tensor.Child(kTensorQuantization, "quantization");
  if (!table) return reader_.ok();
  Scope scope(reader_, "quantization");
  const Vector scales = table.VectorOf(kQuantScale, "scale", 4);
  const Vector zero_points = table.VectorOf(kQuantZeroPoint, "zero_point", 8);
  const int32_t dimension = table.I32(kQuantDimension, "quantized_dimension", 0);
  if (table.U8(kQuantDetailsType, "details_type", 0) != 0) {
    return reader_.Fail(kUnsupported, "details_type", "custom quantization is not supported");
  }
  if (!reader_.ok()) return false;
  if (scales.count == 0) return true;
  if (scales.count > 1) {
    if (dimension < 0 || static_cast<uint32_t>(dimension) >= out->rank) {
      return reader_.Fail(kBad, "quantized_dimension", "no such dimension", static_cast<uint32_t>(dimension),
                          out->rank);
    }
    if (scales.count != static_cast<uint32_t>(out->dims[dimension])) {
      return reader_.Fail(kBad, "scale", "one for each entry of the quantized dimension", scales.count,
                          static_cast<uint32_t>(out->dims[dimension]));
    }
  }
  if (zero_points.count != 0 && zero_points.count != scales.count) {
    return reader_.Fail(kBad, "zero_point", "as many as scales", zero_points.count, scales.count);
  }
  out->scales = reinterpret_cast<const float*>(reader_.base() + scales.offset);
  out->scale_count = scales.count;
  out->quantized_dimension = dimension;
  for (uint32_t i = 0; i < scales.count; ++i) {
    if (!Positive(out->scales[i])) {
      return reader_.Fail(kBad, "scale", "must be positive and finite", i, scales.count, static_cast<int32_t>(i));
    }
  }
  if (zero_points.count > 1) {  // usually all 0: told at a glance
    uint32_t any = 0;
    const uint8_t* p = reader_.base() + zero_points.offset;
    for (uint32_t i = zero_points.count; i != 0; --i, p += 8) any |= LoadU32(p) | LoadU32(p + 4);
    if (any == 0) return true;
  }
  for (uint32_t i = 0; i < zero_points.count; ++i) {
    const uint8_t* p = reader_.base() + zero_points.offset + 8 * i;
    const int32_t low = static_cast<int32_t>(LoadU32(p));
    const bool fits = static_cast<int32_t>(LoadU32(p + 4)) == (low < 0 ? -1 : 0);
    bool in_range = fits;
    if (out->type == TensorType::kInt8) in_range = fits && low >= -128 && low <= 127;
    if (out->type == TensorType::kUint8) in_range = fits && low >= 0 && low <= 255;
    if (out->type == TensorType::kInt16) in_range = fits && low >= -32768 && low <= 32767;
    if (!in_range) {
      return reader_.Fail(kBad, "zero_point", "outside the tensor's type", static_cast<uint32_t>(low), 0,
                          static_cast<int32_t>(i));
    }
    if (scales.count > 1 && low != 0) {
      return reader_.Fail(kUnsupported, "zero_point", "must be 0 where there is one scale a channel",
                          static_cast<uint32_t>(low), 0, static_cast<int32_t>(i));
    }
    out->zero_point = low;
  }
  return true;
}

bool Model::ReadConstant(const Table& tensor, Tensor* out) {
  const uint32_t index = tensor.U32(kTensorBuffer, "buffer", 0);
  if (!reader_.ok() || index == 0) return reader_.ok();
  if (index >= buffers_.count) return reader_.Fail(kBad, "buffer", "no such buffer", index, buffers_.count);
  // The vector of buffers belongs to the model's table; any table can follow its elements.
  const Table buffer = tensor.Element(buffers_, index, "buffer");
  if (!reader_.ok()) return false;
  if (buffer.U64(kBufferOffset, "buffer.offset", 0) > 1) {
    return reader_.Fail(kUnsupported, "buffer.offset", "data outside the FlatBuffer is not supported");
  }
  const Vector data = buffer.VectorOf(kBufferData, "buffer.data", 1);
  if (!reader_.ok() || data.count == 0) return reader_.ok();
  if (data.count < out->bytes) {
    return reader_.Fail(kBad, "buffer.data", "shorter than the tensor", data.count, out->bytes);
  }
  const uint32_t element = BytesOf(out->type);
  if (data.offset % element != 0) {
    return reader_.Fail(kBad, "buffer.data", "misaligned for the tensor's type", data.offset, element);
  }
  out->data = reader_.base() + data.offset;
  return true;
}

bool Model::ReadCode(const Table& code, uint32_t* builtin) {
  // Files of before 2020 hold the code in one byte; newer ones hold it in both fields.
  const int32_t deprecated = static_cast<int8_t>(code.U8(kCodeDeprecated, "deprecated_builtin_code", 0));
  const int32_t newer = code.I32(kCodeBuiltin, "builtin_code", 0);
  const int32_t code_of_either = newer > deprecated ? newer : deprecated;
  if (!reader_.ok()) return false;
  if (code_of_either < 0) return reader_.Fail(kBad, "builtin_code", "negative", static_cast<uint32_t>(code_of_either));
  *builtin = static_cast<uint32_t>(code_of_either);
  return true;
}

bool Model::Lists(uint32_t builtin_code) {
  for (uint32_t i = 0; i < codes_.count; ++i) {
    Scope scope(reader_, "operator_codes", static_cast<int32_t>(i));
    uint32_t code;
    if (!ReadCode(root_.Element(codes_, i, nullptr), &code)) return false;
    if (code == builtin_code) return true;
  }
  return false;
}

bool Model::ReadOperator(uint32_t index, Operator* out) {
  *out = Operator{};
  Scope scope(reader_, "operators", static_cast<int32_t>(index));
  const Table table = graph_.Element(operators_, index, nullptr);
  const uint32_t code_index = table.U32(kOperatorCode, "opcode_index", 0);
  const Vector inputs = table.VectorOf(kOperatorInputs, "inputs", 4);
  const Vector outputs = table.VectorOf(kOperatorOutputs, "outputs", 4);
  out->options_type = table.U8(kOperatorOptionsType, "builtin_options_type", 0);
  out->options = table.Child(kOperatorOptions, "builtin_options");
  out->custom_options = table.VectorOf(kOperatorCustomOptions, "custom_options", 1);
  if (!reader_.ok()) return false;
  if (code_index >= codes_.count) {
    return reader_.Fail(kBad, "opcode_index", "no such operator code", code_index, codes_.count);
  }
  const Table code = table.Element(codes_, code_index, "opcode_index");
  if (!ReadCode(code, &out->builtin_code)) return false;
  if (out->builtin_code == kCustom) {
    const Vector name = code.VectorOf(kCodeCustom, "custom_code", 1);
    if (!reader_.ok()) return false;
    if (name.count == 0) return reader_.Fail(kBad, "custom_code", "a custom operator needs a name");
    out->custom_name = reinterpret_cast<const char*>(reader_.base() + name.offset);
    out->custom_name_length = name.count;
  }
  // Even an empty or absent list has a count word before it, since inputs[-1] is read later.
  static const int32_t kEmpty[2] = {0, 0};
  out->inputs = inputs.present ? reinterpret_cast<const int32_t*>(reader_.base() + inputs.offset) : kEmpty + 1;
  out->outputs = outputs.present ? reinterpret_cast<const int32_t*>(reader_.base() + outputs.offset) : kEmpty + 1;
  out->input_count = inputs.count;
  out->output_count = outputs.count;
  for (uint32_t i = 0; i < inputs.count; ++i) {
    const int32_t tensor = out->inputs[i];
    if (tensor < -1 || tensor >= static_cast<int32_t>(tensors_.count)) {
      return reader_.Fail(kBad, "inputs", "no such tensor", static_cast<uint32_t>(tensor), tensors_.count,
                          static_cast<int32_t>(i));
    }
  }
  for (uint32_t i = 0; i < outputs.count; ++i) {
    const int32_t tensor = out->outputs[i];
    if (tensor < 0 || tensor >= static_cast<int32_t>(tensors_.count)) {
      return reader_.Fail(kBad, "outputs", "no such tensor", static_cast<uint32_t>(tensor), tensors_.count,
                          static_cast<int32_t>(i));
    }
  }
  return true;
}

}  // namespace tinyhil
