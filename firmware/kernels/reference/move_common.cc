// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/move_common.h"

namespace tinyhil {

bool ExpectTypes(Prepare& op, const Tensor& input, const Tensor& output, uint32_t types) {
  if ((types >> static_cast<uint32_t>(input.type) & 1) == 0) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "not of this type", static_cast<uint32_t>(input.type));
  }
  if (input.type != output.type) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "must have the input's type",
                   static_cast<uint32_t>(output.type), static_cast<uint32_t>(input.type));
  }
  return true;
}

bool ReadInts(Prepare& op, uint32_t input, const char* field, uint32_t count, const int32_t** out) {
  Tensor tensor;
  if (!op.Input(input, &tensor)) return false;
  if (tensor.type != TensorType::kInt32) {
    return op.Fail(Code::kModelUnsupported, field, "must be int32", static_cast<uint32_t>(tensor.type),
                   static_cast<uint32_t>(TensorType::kInt32));
  }
  if (!tensor.constant()) return op.Fail(Code::kModelUnsupported, field, "must be a constant");
  if (tensor.elements != count) return op.Fail(Code::kModelMalformed, field, "wrong length", tensor.elements, count);
  *out = static_cast<const int32_t*>(tensor.data);
  return true;
}

bool ReadAxis(Prepare& op, const char* field, int32_t axis, uint32_t rank, uint32_t* out) {
  const int32_t limit = static_cast<int32_t>(rank);
  if (axis < -limit || axis >= limit) {
    return op.Fail(Code::kModelMalformed, field, "no such dimension", static_cast<uint32_t>(axis), rank);
  }
  *out = static_cast<uint32_t>(axis < 0 ? axis + limit : axis);
  return true;
}

uint32_t Elements(const Tensor& tensor, uint32_t first, uint32_t last) {
  uint32_t product = 1;
  for (uint32_t i = first; i < last; ++i) product *= static_cast<uint32_t>(tensor.dim(i));
  return product;
}

void Simplify(uint32_t element_bytes, StridedCopy* copy) {
  const int32_t element = static_cast<int32_t>(element_bytes);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < copy->rank; ++i) {
    const int32_t dim = copy->dims[i], step = copy->steps[i] * element;
    if (dim == 1) continue;
    if (kept > 0 && copy->steps[kept - 1] == step * dim) {
      copy->dims[kept - 1] *= dim;
      copy->steps[kept - 1] = step;
      continue;
    }
    copy->dims[kept] = dim;
    copy->steps[kept++] = step;
  }
  copy->start *= element;
  copy->element_bytes = copy->run_bytes = element_bytes;
  if (kept > 0 && copy->steps[kept - 1] == element) copy->run_bytes *= static_cast<uint32_t>(copy->dims[--kept]);
  copy->rank = kept;
}

Pieces* MakePieces(Prepare& op, uint32_t outer, uint32_t count) {
  Pieces* pieces =
      static_cast<Pieces*>(op.DataOfBytes(static_cast<uint32_t>(sizeof(Pieces) + count * sizeof(uint32_t))));
  if (pieces == nullptr) return nullptr;
  pieces->outer = outer;
  pieces->count = count;
  return pieces;
}

namespace {

// What lies in a tensor has been written as another type.
using HalfWord = uint16_t __attribute__((may_alias));
using Word = uint32_t __attribute__((may_alias));

template <typename T>
uint8_t* CopyElements(const uint8_t* in, int32_t count, int32_t step, uint8_t* out) {
  T* to = reinterpret_cast<T*>(out);
  for (; count != 0; --count, in += step) *to++ = *reinterpret_cast<const T*>(in);
  return reinterpret_cast<uint8_t*>(to);
}

// The last dimension of a copy.
uint8_t* CopyRow(const StridedCopy& copy, const uint8_t* in, int32_t count, int32_t step, uint8_t* out) {
  if (copy.run_bytes == copy.element_bytes) {
    if (copy.run_bytes == 1) return CopyElements<uint8_t>(in, count, step, out);
    if (copy.run_bytes == 2) return CopyElements<HalfWord>(in, count, step, out);
    if (copy.run_bytes == 4) return CopyElements<Word>(in, count, step, out);
  }
  for (; count != 0; --count, in += step, out += copy.run_bytes) CopyBytes(out, in, copy.run_bytes);
  return out;
}

uint8_t* CopyDimension(const StridedCopy& copy, uint32_t dim, const uint8_t* in, uint8_t* out) {
  if (dim + 1 == copy.rank) return CopyRow(copy, in, copy.dims[dim], copy.steps[dim], out);
  for (int32_t i = 0; i < copy.dims[dim]; ++i, in += copy.steps[dim]) out = CopyDimension(copy, dim + 1, in, out);
  return out;
}

}  // namespace

void Copy(const StridedCopy& copy, const uint8_t* in, uint8_t* out) {
  in += copy.start;
  if (copy.rank == 0) {
    __builtin_memcpy(out, in, copy.run_bytes);
  } else {
    CopyDimension(copy, 0, in, out);
  }
}

}  // namespace tinyhil
