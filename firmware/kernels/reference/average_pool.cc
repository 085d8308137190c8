// SPDX-License-Identifier: Apache-2.0
// AVERAGE_POOL_2D, int8. Padding does not count; the mean is rounded half away from zero. No scratch.
#include "kernels/ops.h"
#include "kernels/reference/pool_common.h"

namespace tinyhil {
namespace {

void EvalAveragePool(const Eval& op) {
  EvalPool(op, [](const int8_t* from, int32_t rows, int32_t columns, int32_t row_step, int32_t column_step) {
    int32_t sum = 0;
    for (int32_t y = 0; y < rows; ++y, from += row_step) {
      const int8_t* value = from;
      for (int32_t x = columns; x != 0; --x, value += column_step) sum += *value;
    }
    const int32_t count = rows * columns;
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
  });
}

}  // namespace

extern const OpRegistration kOp_AVERAGE_POOL_2D = {schema::kAveragePool2d, "AVERAGE_POOL_2D", PreparePool,
                                                   EvalAveragePool};

}  // namespace tinyhil
