// SPDX-License-Identifier: Apache-2.0
// TFLite Micro's operators, and the table of those that an image registers.
//
// A source that says TINYHIL_TFLM_OPS(LIST) makes that table, where LIST is a macro of the operators' schema names:
//   #define LIST(OP) OP(CONV_2D,) OP(SOFTMAX,)
// Only those are linked. An operator that the TFLite Micro at hand does not know yet is left out of the table.
//
// Not here: IF and WHILE, whose subgraphs the host's golden sets do not describe, and TFLite Micro's custom operators.
//
// RAM: 28 bytes an operator for TFLite Micro's registrations, 8 for its parsers, 4 for the wrapped function.
#ifndef TINYHIL_ENGINE_TFLM_OPS_H_
#define TINYHIL_ENGINE_TFLM_OPS_H_

#include <new>
#include <utility>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

#define TINYHIL_TFLM_EVERY_OP(OP)                              \
  OP(ABS, Abs)                                                 \
  OP(ADD, Add)                                                 \
  OP(ADD_N, AddN)                                              \
  OP(ARG_MAX, ArgMax)                                          \
  OP(ARG_MIN, ArgMin)                                          \
  OP(ASSIGN_VARIABLE, AssignVariable)                          \
  OP(AVERAGE_POOL_2D, AveragePool2D)                           \
  OP(BATCH_MATMUL, BatchMatMul)                                \
  OP(BATCH_TO_SPACE_ND, BatchToSpaceNd)                        \
  OP(BROADCAST_ARGS, BroadcastArgs)                            \
  OP(BROADCAST_TO, BroadcastTo)                                \
  OP(CALL_ONCE, CallOnce)                                      \
  OP(CAST, Cast)                                               \
  OP(CEIL, Ceil)                                               \
  OP(CONCATENATION, Concatenation)                             \
  OP(CONV_2D, Conv2D)                                          \
  OP(COS, Cos)                                                 \
  OP(CUMSUM, CumSum)                                           \
  OP(DEPTHWISE_CONV_2D, DepthwiseConv2D)                       \
  OP(DEPTH_TO_SPACE, DepthToSpace)                             \
  OP(DEQUANTIZE, Dequantize)                                   \
  OP(DIV, Div)                                                 \
  OP(DYNAMIC_UPDATE_SLICE, DynamicUpdateSlice)                 \
  OP(ELU, Elu)                                                 \
  OP(EMBEDDING_LOOKUP, EmbeddingLookup)                        \
  OP(EQUAL, Equal)                                             \
  OP(EXP, Exp)                                                 \
  OP(EXPAND_DIMS, ExpandDims)                                  \
  OP(FILL, Fill)                                               \
  OP(FLOOR, Floor)                                             \
  OP(FLOOR_DIV, FloorDiv)                                      \
  OP(FLOOR_MOD, FloorMod)                                      \
  OP(FULLY_CONNECTED, FullyConnected)                          \
  OP(GATHER, Gather)                                           \
  OP(GATHER_ND, GatherNd)                                      \
  OP(GREATER, Greater)                                         \
  OP(GREATER_EQUAL, GreaterEqual)                              \
  OP(HARD_SWISH, HardSwish)                                    \
  OP(L2_NORMALIZATION, L2Normalization)                        \
  OP(L2_POOL_2D, L2Pool2D)                                     \
  OP(LEAKY_RELU, LeakyRelu)                                    \
  OP(LESS, Less)                                               \
  OP(LESS_EQUAL, LessEqual)                                    \
  OP(LOG, Log)                                                 \
  OP(LOGICAL_AND, LogicalAnd)                                  \
  OP(LOGICAL_NOT, LogicalNot)                                  \
  OP(LOGICAL_OR, LogicalOr)                                    \
  OP(LOGISTIC, Logistic)                                       \
  OP(LOG_SOFTMAX, LogSoftmax)                                  \
  OP(MAXIMUM, Maximum)                                         \
  OP(MAX_POOL_2D, MaxPool2D)                                   \
  OP(MEAN, Mean)                                               \
  OP(MINIMUM, Minimum)                                         \
  OP(MIRROR_PAD, MirrorPad)                                    \
  OP(MUL, Mul)                                                 \
  OP(NEG, Neg)                                                 \
  OP(NOT_EQUAL, NotEqual)                                      \
  OP(PACK, Pack)                                               \
  OP(PAD, Pad)                                                 \
  OP(PADV2, PadV2)                                             \
  OP(PRELU, Prelu)                                             \
  OP(QUANTIZE, Quantize)                                       \
  OP(READ_VARIABLE, ReadVariable)                              \
  OP(REDUCE_ALL, ReduceAll)                                    \
  OP(REDUCE_MAX, ReduceMax)                                    \
  OP(REDUCE_MIN, ReduceMin)                                    \
  OP(RELU, Relu)                                               \
  OP(RELU6, Relu6)                                             \
  OP(RESHAPE, Reshape)                                         \
  OP(RESIZE_BILINEAR, ResizeBilinear)                          \
  OP(RESIZE_NEAREST_NEIGHBOR, ResizeNearestNeighbor)           \
  OP(REVERSE_V2, ReverseV2)                                    \
  OP(ROUND, Round)                                             \
  OP(RSQRT, Rsqrt)                                             \
  OP(SELECT_V2, SelectV2)                                      \
  OP(SHAPE, Shape)                                             \
  OP(SIN, Sin)                                                 \
  OP(SLICE, Slice)                                             \
  OP(SOFTMAX, Softmax)                                         \
  OP(SPACE_TO_BATCH_ND, SpaceToBatchNd)                        \
  OP(SPACE_TO_DEPTH, SpaceToDepth)                             \
  OP(SPLIT, Split)                                             \
  OP(SPLIT_V, SplitV)                                          \
  OP(SQRT, Sqrt)                                               \
  OP(SQUARE, Square)                                           \
  OP(SQUARED_DIFFERENCE, SquaredDifference)                    \
  OP(SQUEEZE, Squeeze)                                         \
  OP(STRIDED_SLICE, StridedSlice)                              \
  OP(SUB, Sub)                                                 \
  OP(SUM, Sum)                                                 \
  OP(SVDF, Svdf)                                               \
  OP(TANH, Tanh)                                               \
  OP(TRANSPOSE, Transpose)                                     \
  OP(TRANSPOSE_CONV, TransposeConv)                            \
  OP(UNIDIRECTIONAL_SEQUENCE_LSTM, UnidirectionalSequenceLSTM) \
  OP(UNPACK, Unpack)                                           \
  OP(VAR_HANDLE, VarHandle)                                    \
  OP(ZEROS_LIKE, ZerosLike)

namespace tinyhil {

using TflmInvoke = TfLiteStatus (*)(TfLiteContext*, TfLiteNode*);

// Runs one operator: `invoke` between the hook's Begin and End. Defined in tflm.cc.
TfLiteStatus TflmRunOp(TflmInvoke invoke, TfLiteContext* context, TfLiteNode* node);

// The table of this image, made at the first call.
const tflite::MicroOpResolver& TflmOps();

// Hands out registrations whose `invoke` goes through TflmRunOp. Each has a function of its own, since TFLite Micro
// hands an operator nothing that would tell its registration.
template <unsigned kCount>
class TflmResolver final : public tflite::MicroMutableOpResolver<kCount> {
 public:
  using Base = tflite::MicroMutableOpResolver<kCount>;
  using Registration = std::remove_cv_t<
      std::remove_pointer_t<decltype(std::declval<const Base&>().FindOp(tflite::BuiltinOperator_ADD))>>;

  const Registration* FindOp(tflite::BuiltinOperator op) const override { return Wrapped(Base::FindOp(op)); }
  const Registration* FindOp(const char* name) const override { return Wrapped(Base::FindOp(name)); }

 private:
  template <unsigned kSlot>
  static TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
    return TflmRunOp(invokes_[kSlot], context, node);
  }

  template <unsigned... kSlots>
  static TflmInvoke Wrapper(unsigned slot, std::integer_sequence<unsigned, kSlots...>) {
    static constexpr TflmInvoke kWrappers[] = {&Invoke<kSlots>...};
    return kWrappers[slot];
  }

  // The registrations lie in an object that TflmOps made writable, so what it finds may be changed.
  static const Registration* Wrapped(const Registration* found) {
    if (found == nullptr) return nullptr;
    for (unsigned slot = 0; slot < used_; ++slot) {
      if (wrapped_[slot] == found) return found;
    }
    Registration* registration = const_cast<Registration*>(found);
    invokes_[used_] = registration->invoke;
    wrapped_[used_] = found;
    registration->invoke = Wrapper(used_, std::make_integer_sequence<unsigned, kCount>());
    ++used_;
    return found;
  }

  static inline TflmInvoke invokes_[kCount];
  static inline const Registration* wrapped_[kCount];
  static inline unsigned used_;
};

// TflmAdd_X(resolver) registers X where this TFLite Micro has it.
#define TINYHIL_TFLM_ADD(name, method)                                                     \
  template <typename Resolver>                                                             \
  auto TflmTry_##name(Resolver& resolver, int)->decltype(resolver.Add##method(), void()) { \
    resolver.Add##method();                                                                \
  }                                                                                        \
  template <typename Resolver>                                                             \
  void TflmTry_##name(Resolver&, long) {}                                                  \
  template <typename Resolver>                                                             \
  void TflmAdd_##name(Resolver& resolver) {                                                \
    TflmTry_##name(resolver, 0);                                                           \
  }
TINYHIL_TFLM_EVERY_OP(TINYHIL_TFLM_ADD)
#undef TINYHIL_TFLM_ADD

#define TINYHIL_TFLM_COUNT(name, method) +1u
#define TINYHIL_TFLM_REGISTER(name, method) TflmAdd_##name(*resolver);

#define TINYHIL_TFLM_OPS(LIST)                                     \
  namespace tinyhil {                                              \
  const tflite::MicroOpResolver& TflmOps() {                       \
    using Resolver = TflmResolver<0u LIST(TINYHIL_TFLM_COUNT)>;    \
    alignas(Resolver) static unsigned char room[sizeof(Resolver)]; \
    static Resolver* resolver = nullptr;                           \
    if (resolver == nullptr) {                                     \
      resolver = new (room) Resolver;                              \
      LIST(TINYHIL_TFLM_REGISTER)                                  \
    }                                                              \
    return *resolver;                                              \
  }                                                                \
  } /* namespace tinyhil */

}  // namespace tinyhil

#endif  // TINYHIL_ENGINE_TFLM_OPS_H_
