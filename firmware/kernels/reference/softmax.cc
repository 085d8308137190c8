// SPDX-License-Identifier: Apache-2.0
// SOFTMAX over the last dimension, int8 in and out.
//
// Fixed point throughout: exp(x) for x <= 0 from a polynomial on [-1/4, 0) and a product of powers of e, one over the
// sum by three Newton steps. Qm.n below is a signed 32-bit number with m integer and n fraction bits. No scratch; every
// exp is computed twice, which costs less than keeping it would.
#include "kernels/reference/softmax.h"

#include "kernels/ops.h"
#include "kernels/reference/fixed_point.h"

namespace tinyhil {
namespace {

constexpr int32_t kDifferenceBits = 5;  // differences to the largest value are Q5.26
constexpr int32_t kSumBits = 12;        // the sum of exps is Q12.19
constexpr int32_t kMaxDepth = (1 << kSumBits) - 1;

}  // namespace

bool CheckSoftmax(Prepare& op, SoftmaxData* data) {
  Tensor input, output;
  Table options;
  if (!op.Expect(1, 1, 1) || !op.Input(0, &input) || !op.Output(0, &output)) return false;
  if (!ExpectInt8(op, input, "inputs[0]") || !ExpectInt8(op, output, "outputs[0]")) return false;
  if (!ExpectSameShape(op, input, output) || !op.Options(schema::kSoftmaxOptions, &options)) return false;
  if (input.rank == 0) return op.Fail(Code::kModelUnsupported, "inputs[0]", "a scalar has no dimension to sum over");
  if (output.zero_point != -128 || output.scale() != 1.0f / 256.0f) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must have scale 1/256 and zero point -128");
  }
  const float beta = options.F32(schema::kSoftmaxBeta, "beta", 0.0f);
  if (!op.ok()) return false;
  if (!(beta > 0.0f) || !(beta < 1.0e30f)) return op.Fail(Code::kModelUnsupported, "beta", "must be above 0");
  data->depth = input.dim(input.rank - 1);
  if (data->depth > kMaxDepth) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "too many classes: the sum of exps would overflow",
                   static_cast<uint32_t>(data->depth), kMaxDepth);
  }
  data->rows = static_cast<int32_t>(input.elements) / data->depth;
  data->multiplier = MakeMultiplier(beta, input.scale(), 1.0f / (1 << (31 - kDifferenceBits)));
  if (data->multiplier.shift > 31) data->multiplier = {INT32_MAX, 31};  // as large as 2^31 - 1, no larger
  if (data->multiplier.shift < 1) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "scale times beta below 2^-26");
  }
  // The largest difference whose Q5.26 form stays above -31.
  const int64_t radius = int64_t{(1 << kDifferenceBits) - 1} << (31 - kDifferenceBits);
  data->lowest_difference = -static_cast<int32_t>(radius >> data->multiplier.shift);
  return true;
}

namespace {

bool PrepareSoftmax(Prepare& op) {
  SoftmaxData* data = op.Data<SoftmaxData>();
  return data != nullptr && CheckSoftmax(op, data);
}

inline int32_t Difference(const SoftmaxData& d, int32_t difference) {
  return DoublingHighMulPositive(ShiftLeft(difference, d.multiplier.shift), d.multiplier.value);
}

void Row(const SoftmaxData& d, const int8_t* in, int8_t* out) {
  int32_t highest = in[0];
  for (int32_t i = 1; i < d.depth; ++i) highest = in[i] > highest ? in[i] : highest;
  int32_t sum = 0;
  for (int32_t i = 0; i < d.depth; ++i) {
    const int32_t difference = in[i] - highest;
    if (difference < d.lowest_difference) continue;
    sum = AddWrapping(sum, RoundingShiftRight(ExpOfNegative<kDifferenceBits>(Difference(d, difference)), kSumBits));
  }
  // The sum is at least 1 (the highest value's exp), so it has fewer than 12 leading zeros.
  const int32_t zeros = __builtin_clz(static_cast<uint32_t>(sum));
  const int32_t scale = ReciprocalOfOnePlus(static_cast<int32_t>((static_cast<uint32_t>(sum) << zeros) - 0x80000000u));
  const int32_t exponent = kSumBits - zeros + 31 - 8;
  if (exponent > 31) {  // so many equal classes that each rounds to 0
    __builtin_memset(out, -128, static_cast<uint32_t>(d.depth));
    return;
  }
  for (int32_t i = 0; i < d.depth; ++i) {
    const int32_t difference = in[i] - highest;
    int32_t value = -128;
    if (difference >= d.lowest_difference) {
      const int32_t product = DoublingHighMul(scale, ExpOfNegative<kDifferenceBits>(Difference(d, difference)));
      value = Clamp(RoundingShiftRight(product, exponent) - 128, -128, 127);
    }
    out[i] = static_cast<int8_t>(value);
  }
}

void EvalSoftmax(const Eval& op) {
  const SoftmaxData& d = op.Data<SoftmaxData>();
  const int8_t* in = op.Input<int8_t>(0);
  int8_t* out = op.Output<int8_t>(0);
  for (int32_t row = 0; row < d.rows; ++row, in += d.depth, out += d.depth) Row(d, in, out);
}

}  // namespace

extern const OpRegistration kOp_SOFTMAX = {schema::kSoftmax, "SOFTMAX", PrepareSoftmax, EvalSoftmax};

}  // namespace tinyhil
