// SPDX-License-Identifier: Apache-2.0
// BATCH_MATMUL: int8 and float, either matrix transposed or not, batches that broadcast.
//
// int8: two columns of the right matrix are gathered as int16 without their zero point; rows of the left one run over
// them, two at a time where they lie in one piece (dot.h). The left zero point is taken off the sum, not off each
// value. Scratch: 4 bytes x the depth.
#include "kernels/ops.h"
#include "kernels/reference/dot.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxBatchRank = 3;

// Element (i, k) of a matrix lies at i * major + k * minor; k runs over the depth.
struct Side {
  int32_t size;  // rows of the left, columns of the right matrix
  int32_t major;
  int32_t minor;
  int32_t zero_point;
};

struct MatmulData {
  TensorType type;
  int32_t depth;
  Side left;
  Side right;
  int32_t batches[kMaxBatchRank];  // of the output, aligned to the last
  int32_t step[2][kMaxBatchRank];  // elements, 0 where an input's batch is repeated
  Multiplier multiplier;
  int32_t output_zero_point;
  int16_t* columns;  // scratch: two, interleaved
};

bool MakeBatches(Prepare& op, const Tensor (&inputs)[2], const Tensor& output, MatmulData* data) {
  uint32_t rank = inputs[0].rank > inputs[1].rank ? inputs[0].rank : inputs[1].rank;
  if (output.rank != rank) return ExpectRank(op, output, "outputs[0]", rank);
  int32_t elements[2] = {1, 1};
  for (uint32_t k = 0; k < 2; ++k) {
    for (uint32_t i = inputs[k].rank - 2; i < inputs[k].rank; ++i) elements[k] *= inputs[k].dim(i);
  }
  for (uint32_t i = 0; i < kMaxBatchRank; ++i) {
    int32_t dim[2];
    for (uint32_t k = 0; k < 2; ++k) {
      dim[k] = i + 2 < inputs[k].rank ? inputs[k].dim(inputs[k].rank - 3 - i) : 1;
      data->step[k][i] = dim[k] == 1 ? 0 : elements[k];
      elements[k] *= dim[k];
    }
    const int32_t want = dim[0] == 1 ? dim[1] : dim[0];
    if (dim[1] != 1 && !ExpectDim(op, "inputs[1]", dim[1], want)) return false;
    const int32_t have = i + 2 < rank ? output.dim(rank - 3 - i) : 1;
    if (!ExpectDim(op, "outputs[0]", have, want)) return false;
    data->batches[i] = want;
  }
  return ExpectDim(op, "outputs[0]", output.dim(rank - 2), data->left.size) &&
         ExpectDim(op, "outputs[0]", output.dim(rank - 1), data->right.size);
}

bool PrepareBatchMatmul(Prepare& op) {
  Tensor inputs[2], output;
  Table options;
  MatmulData* data = op.Data<MatmulData>();
  if (data == nullptr || !op.Expect(2, 2, 1) || !op.Input(0, &inputs[0]) || !op.Input(1, &inputs[1]) ||
      !op.Output(0, &output) || !op.Options(schema::kBatchMatmulOptions, &options) ||
      !ExpectType(op, inputs[0], "inputs[0]", TypeBit(TensorType::kInt8) | TypeBit(TensorType::kFloat32)) ||
      !ExpectSameType(op, inputs[1], "inputs[1]", inputs[0]) || !ExpectSameType(op, output, "outputs[0]", inputs[0])) {
    return false;
  }
  const bool transposed[2] = {options.U8(schema::kMatmulAdjointX, "adj_x", 0) != 0,
                              options.U8(schema::kMatmulAdjointY, "adj_y", 0) == 0};
  if (!op.ok()) return false;
  MatmulData d = {};
  d.type = inputs[0].type;
  Side* const sides[2] = {&d.left, &d.right};
  int32_t depth[2];
  for (uint32_t k = 0; k < 2; ++k) {
    const Tensor& input = inputs[k];
    if (input.rank < 2 || input.rank > 2 + kMaxBatchRank) {
      return op.Fail(Code::kModelUnsupported, "inputs", "a matrix has two to five dimensions", input.rank, 5);
    }
    const int32_t rows = input.dim(input.rank - 2), columns = input.dim(input.rank - 1);
    *sides[k] = transposed[k] ? Side{columns, 1, columns, input.zero_point} : Side{rows, columns, 1, input.zero_point};
    depth[k] = transposed[k] ? rows : columns;
  }
  if (!ExpectDim(op, "inputs[1]", depth[1], depth[0]) || !MakeBatches(op, inputs, output, &d)) return false;
  d.depth = depth[0];
  if (d.type == TensorType::kInt8) {
    if (!ExpectQuantized(op, inputs[0], "inputs[0]") || !ExpectQuantized(op, inputs[1], "inputs[1]") ||
        !ExpectQuantized(op, output, "outputs[0]")) {
      return false;
    }
    const float product = inputs[0].scale() * inputs[1].scale();  // rounded to float, as for FULLY_CONNECTED
    if (!ExpectRatio(op, product)) return false;
    d.multiplier = MakeMultiplier(product, 1.0f, output.scale());
    d.output_zero_point = output.zero_point;
    if (!ExpectShift(op, d.multiplier)) return false;
  }
  *data = d;
  if (d.type != TensorType::kInt8) return true;
  return op.Scratch(4 * static_cast<uint32_t>(d.depth), reinterpret_cast<void**>(&data->columns));
}

inline int8_t Finish(const MatmulData& d, uint32_t sum, uint32_t column_sum) {
  const uint32_t total = sum - static_cast<uint32_t>(d.left.zero_point) * column_sum;
  const int32_t scaled = Requantize(static_cast<int32_t>(total), d.multiplier.value, d.multiplier.shift);
  return static_cast<int8_t>(Clamp(AddWrapping(scaled, d.output_zero_point), -128, 127));
}

// One column into every other place; returns its sum.
uint32_t GatherColumn(const MatmulData& d, const int8_t* from, int16_t* to) {
  uint32_t sum = 0;
  for (int32_t k = d.depth; k != 0; --k, from += d.right.minor, to += 2) {
    const int32_t value = *from - d.right.zero_point;
    *to = static_cast<int16_t>(value);
    sum += static_cast<uint32_t>(value);
  }
  return sum;
}

// Columns j and `next` of the output; where they are the same, one is computed twice.
void TwoColumns(const MatmulData& d, const int8_t* left, int32_t j, int32_t next, uint32_t (&sums)[2], int8_t* out) {
  const int32_t width = d.right.size;
  const int16_t* const columns = d.columns;
  if (d.left.minor != 1) {
    for (int32_t i = 0; i < d.left.size; ++i, left += d.left.major, out += width) {
      uint32_t sum0 = 0, sum1 = 0;
      const int8_t* value = left;
      const int16_t* column = columns;
      for (int32_t k = d.depth; k != 0; --k, value += d.left.minor, column += 2) {
        Accumulate(sum0, *value, column[0]);
        Accumulate(sum1, *value, column[1]);
      }
      out[j] = Finish(d, sum0, sums[0]);
      out[next] = Finish(d, sum1, sums[1]);
    }
    return;
  }
  for (int32_t i = 0; i < d.left.size; i += 2, left += 2 * d.left.major, out += 2 * width) {
    const bool pair = i + 1 < d.left.size;
    const FourSums four = DotTwoByTwo(columns, left, pair ? left + d.left.major : left, d.depth);
    out[j] = Finish(d, four.s[0], sums[0]);
    out[next] = Finish(d, four.s[2], sums[1]);
    if (!pair) break;
    out[width + j] = Finish(d, four.s[1], sums[0]);
    out[width + next] = Finish(d, four.s[3], sums[1]);
  }
}

void Matrix(const MatmulData& d, const int8_t* left, const int8_t* right, int8_t* out) {
  for (int32_t j = 0; j < d.right.size; j += 2) {
    const int32_t next = j + 1 < d.right.size ? j + 1 : j;
    uint32_t sums[2];
    sums[0] = GatherColumn(d, right + j * d.right.major, d.columns);
    sums[1] = GatherColumn(d, right + next * d.right.major, d.columns + 1);
    TwoColumns(d, left, j, next, sums, out);
  }
}

void Matrix(const MatmulData& d, const float* left, const float* right, float* out) {
  for (int32_t i = 0; i < d.left.size; ++i, left += d.left.major) {
    const float* column = right;
    for (int32_t j = 0; j < d.right.size; ++j, column += d.right.major) {
      float sum = 0.0f;
      for (int32_t k = 0; k < d.depth; ++k) sum += left[k * d.left.minor] * column[k * d.right.minor];
      *out++ = sum;
    }
  }
}

template <typename T>
void ForEachMatrix(const Eval& op) {
  const MatmulData& d = op.Data<MatmulData>();
  const T* a = op.Input<T>(0);
  const T* b = op.Input<T>(1);
  T* out = op.Output<T>(0);
  for (int32_t x = 0; x < d.batches[2]; ++x) {
    for (int32_t y = 0; y < d.batches[1]; ++y) {
      for (int32_t z = 0; z < d.batches[0]; ++z, out += d.left.size * d.right.size) {
        Matrix(d, a + x * d.step[0][2] + y * d.step[0][1] + z * d.step[0][0],
               b + x * d.step[1][2] + y * d.step[1][1] + z * d.step[1][0], out);
      }
    }
  }
}

void EvalBatchMatmul(const Eval& op) {
  if (op.Data<MatmulData>().type == TensorType::kInt8) {
    ForEachMatrix<int8_t>(op);
  } else {
    ForEachMatrix<float>(op);
  }
}

}  // namespace

extern const OpRegistration kOp_BATCH_MATMUL = {schema::kBatchMatmul, "BATCH_MATMUL", PrepareBatchMatmul,
                                                EvalBatchMatmul};

}  // namespace tinyhil
