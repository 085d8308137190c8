// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/broadcast.h"

#include "kernels/reference/prepare_common.h"

namespace tinyhil {

void MakeFlat(uint32_t elements, Broadcast* out) {
  out->rank = 1;
  out->dims[0] = static_cast<int32_t>(elements);
  out->step[0][0] = out->step[1][0] = 1;
}

bool MakeBroadcast(Prepare& op, const Tensor& a, const Tensor& b, const Tensor& output, Broadcast* out) {
  const Tensor* const inputs[2] = {&a, &b};
  uint32_t rank = 0;             // merged dimensions so far, the last dimension first
  int32_t elements[2] = {1, 1};  // of the inputs' dimensions so far
  for (uint32_t i = 0; i < Tensor::kMaxRank; ++i) {
    int32_t dim[2];
    for (uint32_t k = 0; k < 2; ++k) {
      if (inputs[k]->rank > output.rank) {
        return op.Fail(Code::kModelMalformed, "outputs[0]", "has fewer dimensions than an input", output.rank,
                       inputs[k]->rank);
      }
      dim[k] = i < inputs[k]->rank ? inputs[k]->dim(inputs[k]->rank - 1 - i) : 1;
    }
    const int32_t want = dim[0] > dim[1] ? dim[0] : dim[1];
    if ((dim[0] != want && dim[0] != 1) || (dim[1] != want && dim[1] != 1)) {
      return ExpectDim(op, "inputs", dim[0], dim[1]);
    }
    if (!ExpectDim(op, "outputs[0]", i < output.rank ? output.dim(output.rank - 1 - i) : 1, want)) return false;
    if (want == 1) continue;
    int32_t step[2];
    bool merges = rank > 0;
    for (uint32_t k = 0; k < 2; ++k) {
      step[k] = dim[k] == 1 ? 0 : elements[k];
      elements[k] *= dim[k];
      merges = merges && step[k] == out->step[k][rank - 1] * out->dims[rank - 1];
    }
    if (merges) {
      out->dims[rank - 1] *= want;
      continue;
    }
    out->dims[rank] = want;
    out->step[0][rank] = step[0];
    out->step[1][rank] = step[1];
    ++rank;
  }
  if (rank == 0) MakeFlat(1, out);
  if (rank > 0) out->rank = rank;
  for (uint32_t low = 0, high = out->rank - 1; low < high; ++low, --high) {
    int32_t* const lists[] = {out->dims, out->step[0], out->step[1]};
    for (int32_t* list : lists) {
      const int32_t moving = list[low];
      list[low] = list[high];
      list[high] = moving;
    }
  }
  return true;
}

}  // namespace tinyhil
