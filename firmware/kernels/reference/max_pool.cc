// SPDX-License-Identifier: Apache-2.0
// MAX_POOL_2D, int8. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/pool_common.h"

namespace tinyhil {
namespace {

void EvalMaxPool(const Eval& op) {
  EvalPool(op, [](const int8_t* from, int32_t rows, int32_t columns, int32_t row_step, int32_t column_step) {
    int32_t highest = -128;
    for (int32_t y = 0; y < rows; ++y, from += row_step) {
      const int8_t* value = from;
      for (int32_t x = columns; x != 0; --x, value += column_step) highest = *value > highest ? *value : highest;
    }
    return highest;
  });
}

}  // namespace

extern const OpRegistration kOp_MAX_POOL_2D = {schema::kMaxPool2d, "MAX_POOL_2D", PreparePool, EvalMaxPool};

}  // namespace tinyhil
