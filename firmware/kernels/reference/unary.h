// SPDX-License-Identifier: Apache-2.0
// Operators of one tensor whose output has its shape and type: the checks they share, and the table of an int8 one.
//
// An int8 function of one value has 256 results. Where it is costly and the tensor has as many values or more, Prepare
// computes them all into 256 persistent bytes, and Eval looks them up.
#ifndef TINYHIL_KERNELS_REFERENCE_UNARY_H_
#define TINYHIL_KERNELS_REFERENCE_UNARY_H_

#include <stdint.h>

#include "kernels/reference/prepare_common.h"

namespace tinyhil {

// One input and one output of one of `types` and of one shape; int8 and int16 ones quantized.
bool ExpectUnary(Prepare& op, uint32_t types, Tensor* input, Tensor* output);

template <typename T, typename Function>
inline void ForEachValue(uint32_t elements, const T* in, T* out, Function f) {
  for (const T* const end = in + elements; in != end;) *out++ = f(*in++);
}

constexpr uint32_t kTableSize = 256;

// Data is the operator's: uint32_t elements, const int8_t* table. One computes the output of an input value.
template <typename Data, int8_t (*kOne)(const Data&, int32_t)>
bool MakeTable(Prepare& op, Data* data) {
  if (data->elements < kTableSize) return true;
  int8_t* table = op.Persistent<int8_t>(kTableSize);
  if (table == nullptr) return false;
  const Data d = *data;  // the table may lie where the data does once the arena has overflowed
  for (int32_t value = -128; value < 128; ++value) table[value + 128] = kOne(d, value);
  data->table = table;
  return true;
}

template <typename Data, int8_t (*kOne)(const Data&, int32_t)>
inline void EvalTable(const Data& data, const Eval& op) {
  if (data.table != nullptr) {
    const int8_t* const table = data.table + 128;
    ForEachValue(data.elements, op.Input<int8_t>(0), op.Output<int8_t>(0), [table](int8_t x) { return table[x]; });
  } else {
    ForEachValue(data.elements, op.Input<int8_t>(0), op.Output<int8_t>(0), [&data](int8_t x) { return kOne(data, x); });
  }
}

}  // namespace tinyhil

#endif  // TINYHIL_KERNELS_REFERENCE_UNARY_H_
