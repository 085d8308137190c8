// SPDX-License-Identifier: Apache-2.0
// MEAN and SUM (int8, int16 and float) and REDUCE_MAX (int8 and float), over any dimensions.
//
// Adjacent dimensions that are all kept or all reduced are merged, so there are at most three of either kind; the last
// reduced one is the inner loop. Each output is summed by itself: no scratch.
#include "kernels/ops.h"
#include "kernels/reference/prepare_common.h"

namespace tinyhil {
namespace {

constexpr uint32_t kMaxMerged = Tensor::kMaxRank / 2;

// Up to three merged dimensions, the outermost first; those that are not there have one step.
struct Loop {
  int32_t dims[kMaxMerged];
  int32_t step[kMaxMerged];
};

struct ReduceData {
  TensorType type;
  Loop kept;
  Loop reduced;
  int32_t count;  // of values behind an output
  // MEAN and SUM of int8 and int16
  Multiplier multiplier;
  int32_t zero_sum;  // what `count` zero points sum up to
  int32_t output_zero_point;
};

// Bit i: dimension i is reduced. The axes are an int32 constant, negative ones count from the last; a scalar has none.
bool ReadAxes(Prepare& op, const Tensor& input, uint32_t* mask) {
  Tensor axes;
  *mask = 0;
  if (!op.Input(1, &axes) || !ExpectType(op, axes, "inputs[1]", TypeBit(TensorType::kInt32))) return false;
  if (!axes.constant()) return op.Fail(Code::kModelUnsupported, "inputs[1]", "axes must be a constant");
  const int32_t* values = static_cast<const int32_t*>(axes.data);
  const int32_t rank = static_cast<int32_t>(input.rank);
  for (uint32_t i = 0; rank != 0 && i < axes.elements; ++i) {
    if (values[i] < -rank || values[i] >= rank) {
      return op.Fail(Code::kModelMalformed, "inputs[1]", "no such axis", static_cast<uint32_t>(values[i]), input.rank);
    }
    *mask |= 1u << (values[i] < 0 ? values[i] + rank : values[i]);
  }
  return true;
}

// From the last dimension to the first; dimensions of one value belong to either kind.
void MakeLoops(const Tensor& input, uint32_t mask, ReduceData* data) {
  Loop loops[2] = {{{1, 1, 1}, {0, 0, 0}}, {{1, 1, 1}, {0, 0, 0}}};
  uint32_t used[2] = {0, 0};
  uint32_t last = 2;  // the kind of the dimension before: neither
  int32_t step = 1, count = 1;
  for (uint32_t i = input.rank; i-- > 0;) {
    const int32_t dim = input.dim(i);
    if (dim == 1) continue;
    const uint32_t kind = mask >> i & 1;
    Loop& loop = loops[kind];
    if (kind == last) {
      loop.dims[kMaxMerged - used[kind]] *= dim;
    } else {
      ++used[kind];
      loop.dims[kMaxMerged - used[kind]] = dim;
      loop.step[kMaxMerged - used[kind]] = step;
    }
    last = kind;
    step *= dim;
    if (kind == 1) count *= dim;
  }
  data->kept = loops[0];
  data->reduced = loops[1];
  data->count = count;
}

bool CheckReduce(Prepare& op, uint32_t types, Tensor* input, Tensor* output, ReduceData* data) {
  uint32_t mask;
  if (!op.Expect(2, 2, 1) || !op.Input(0, input) || !op.Output(0, output) ||
      !ExpectType(op, *input, "inputs[0]", types) || !ExpectSameType(op, *output, "outputs[0]", *input) ||
      !ReadAxes(op, *input, &mask)) {
    return false;
  }
  MakeLoops(*input, mask, data);
  data->type = input->type;
  const uint32_t outputs = input->elements / static_cast<uint32_t>(data->count);
  if (output->elements != outputs) {
    return op.Fail(Code::kModelMalformed, "outputs[0]", "not what the axes leave of the input", output->elements,
                   outputs);
  }
  return true;
}

// For a mean the multiplier takes in the division: as many bits up as `count` has, so that few are lost.
Multiplier Divided(const Multiplier& m, int32_t count) {
  int32_t up = 31 - __builtin_clz(static_cast<uint32_t>(count));
  if (up > 31 + m.shift) up = 31 + m.shift;
  return {static_cast<int32_t>((static_cast<int64_t>(m.value) << up) / count), m.shift - up};
}

bool PrepareSum(Prepare& op, bool mean) {
  Tensor input, output;
  ReduceData* data = op.Data<ReduceData>();
  constexpr uint32_t kTypes = TypeBit(TensorType::kInt8) | TypeBit(TensorType::kInt16) | TypeBit(TensorType::kFloat32);
  if (data == nullptr || !CheckReduce(op, kTypes, &input, &output, data)) return false;
  if (input.type == TensorType::kFloat32) return true;
  if (input.scale_count != 1 || output.scale_count != 1) {
    return op.Fail(Code::kModelUnsupported, "inputs[0]", "input and output must have one quantization scale");
  }
  const Multiplier multiplier = MakeMultiplier(input.scale(), 1.0f, output.scale());
  data->multiplier = mean ? Divided(multiplier, data->count) : multiplier;
  data->zero_sum = static_cast<int32_t>(static_cast<uint32_t>(input.zero_point) * static_cast<uint32_t>(data->count));
  data->output_zero_point = output.zero_point;
  return ExpectShift(op, data->multiplier);
}

bool PrepareMean(Prepare& op) { return PrepareSum(op, true); }
bool PrepareSumOnly(Prepare& op) { return PrepareSum(op, false); }

bool PrepareReduceMax(Prepare& op) {
  Tensor input, output;
  ReduceData* data = op.Data<ReduceData>();
  if (data == nullptr ||
      !CheckReduce(op, TypeBit(TensorType::kInt8) | TypeBit(TensorType::kFloat32), &input, &output, data)) {
    return false;
  }
  if (input.type == TensorType::kInt8 && (input.scale() != output.scale() || input.zero_point != output.zero_point)) {
    return op.Fail(Code::kModelUnsupported, "outputs[0]", "must have the input's scale and zero point");
  }
  return true;
}

// out = finish(fold of all values behind it, from `start` on).
template <typename T, typename Sum, typename Fold, typename Finish>
inline void Reduce(const ReduceData& data, const Eval& op, Sum start, Fold fold, Finish finish) {
  const Loop kept = data.kept, reduced = data.reduced;
  T* out = op.Output<T>(0);
  const T* k0 = op.Input<T>(0);
  for (int32_t i = 0; i < kept.dims[0]; ++i, k0 += kept.step[0]) {
    const T* k1 = k0;
    for (int32_t j = 0; j < kept.dims[1]; ++j, k1 += kept.step[1]) {
      const T* k2 = k1;
      for (int32_t k = 0; k < kept.dims[2]; ++k, k2 += kept.step[2]) {
        Sum sum = start;
        const T* r0 = k2;
        for (int32_t a = reduced.dims[0]; a != 0; --a, r0 += reduced.step[0]) {
          const T* r1 = r0;
          for (int32_t b = reduced.dims[1]; b != 0; --b, r1 += reduced.step[1]) {
            const T* r2 = r1;
            for (int32_t c = reduced.dims[2]; c != 0; --c, r2 += reduced.step[2]) sum = fold(sum, *r2);
          }
        }
        *out++ = finish(sum);
      }
    }
  }
}

template <typename T>
void SumQuantized(const ReduceData& d, const Eval& op) {
  constexpr int32_t kHighest = (1 << (8 * sizeof(T) - 1)) - 1;
  Reduce<T>(
      d, op, uint32_t{0}, [](uint32_t sum, int32_t x) { return sum + static_cast<uint32_t>(x); },
      [&d](uint32_t sum) {
        const int32_t x = static_cast<int32_t>(sum - static_cast<uint32_t>(d.zero_sum));
        const int32_t scaled = Requantize(x, d.multiplier.value, d.multiplier.shift);
        return static_cast<T>(Clamp(AddWrapping(scaled, d.output_zero_point), -kHighest - 1, kHighest));
      });
}

template <bool kMean>
void EvalSum(const Eval& op) {
  const ReduceData& d = op.Data<ReduceData>();
  if (d.type == TensorType::kInt8) {
    SumQuantized<int8_t>(d, op);
  } else if (d.type == TensorType::kInt16) {
    SumQuantized<int16_t>(d, op);
  } else {
    const float count = static_cast<float>(d.count);
    Reduce<float>(
        d, op, 0.0f, [](float sum, float x) { return sum + x; },
        [count](float sum) { return kMean ? sum / count : sum; });
  }
}

void EvalReduceMax(const Eval& op) {
  const ReduceData& d = op.Data<ReduceData>();
  const auto same = [](auto x) { return x; };
  if (d.type == TensorType::kInt8) {
    Reduce<int8_t>(
        d, op, int8_t{-128}, [](int8_t most, int8_t x) { return x > most ? x : most; }, same);
  } else {
    Reduce<float>(
        d, op, -3.402823466e38f, [](float most, float x) { return x > most ? x : most; }, same);
  }
}

}  // namespace

extern const OpRegistration kOp_MEAN = {schema::kMean, "MEAN", PrepareMean, EvalSum<true>};
extern const OpRegistration kOp_SUM = {schema::kSum, "SUM", PrepareSumOnly, EvalSum<false>};
extern const OpRegistration kOp_REDUCE_MAX = {schema::kReduceMax, "REDUCE_MAX", PrepareReduceMax, EvalReduceMax};

}  // namespace tinyhil
