// SPDX-License-Identifier: Apache-2.0
// The numbers of the TFLite schema (version 3) that the interpreter reads: field positions and enumerations.
// They are part of the public file format and never change.
#ifndef TINYHIL_INTERPRETER_SCHEMA_H_
#define TINYHIL_INTERPRETER_SCHEMA_H_

#include <stdint.h>

namespace tinyhil::schema {

enum ModelField : uint16_t {
  kModelVersion = 0,
  kModelOperatorCodes = 1,
  kModelSubgraphs = 2,
  kModelBuffers = 4,
  kModelMetadata = 6,
};
enum MetadataField : uint16_t { kMetadataName = 0, kMetadataBuffer = 1 };
enum OperatorCodeField : uint16_t { kCodeDeprecated = 0, kCodeCustom = 1, kCodeVersion = 2, kCodeBuiltin = 3 };
enum SubgraphField : uint16_t { kGraphTensors = 0, kGraphInputs = 1, kGraphOutputs = 2, kGraphOperators = 3 };
enum TensorField : uint16_t {
  kTensorShape = 0,
  kTensorType = 1,
  kTensorBuffer = 2,
  kTensorQuantization = 4,
  kTensorIsVariable = 5,
  kTensorSparsity = 6,
};
enum QuantizationField : uint16_t { kQuantScale = 2, kQuantZeroPoint = 3, kQuantDetailsType = 4, kQuantDimension = 6 };
enum BufferField : uint16_t { kBufferData = 0, kBufferOffset = 1, kBufferSize = 2 };
enum OperatorField : uint16_t {
  kOperatorCode = 0,
  kOperatorInputs = 1,
  kOperatorOutputs = 2,
  kOperatorOptionsType = 3,
  kOperatorOptions = 4,
  kOperatorCustomOptions = 5,
};

// BuiltinOperator
enum Builtin : uint32_t {
  kAdd = 0,
  kAveragePool2d = 1,
  kConcatenation = 2,
  kConv2d = 3,
  kDepthwiseConv2d = 4,
  kDepthToSpace = 5,
  kDequantize = 6,
  kFullyConnected = 9,
  kLogistic = 14,
  kMaxPool2d = 17,
  kMul = 18,
  kReluOp = 19,
  kReluN1To1Op = 20,
  kRelu6Op = 21,
  kReshape = 22,
  kResizeBilinear = 23,
  kSoftmax = 25,
  kSpaceToDepth = 26,
  kSvdf = 27,
  kTanhOp = 28,
  kCustom = 32,
  kPad = 34,
  kGather = 36,
  kBatchToSpaceNd = 37,
  kSpaceToBatchNd = 38,
  kTranspose = 39,
  kMean = 40,
  kSub = 41,
  kSqueeze = 43,
  kStridedSlice = 45,
  kSplit = 49,
  kPrelu = 54,
  kMaximum = 55,
  kArgMax = 56,
  kMinimum = 57,
  kLess = 58,
  kNeg = 59,
  kPadV2 = 60,
  kGreater = 61,
  kGreaterEqual = 62,
  kLessEqual = 63,
  kSlice = 65,
  kTransposeConv = 67,
  kExpandDims = 70,
  kEqual = 71,
  kNotEqual = 72,
  kSum = 74,
  kShape = 77,
  kArgMin = 79,
  kReduceMax = 82,
  kPack = 83,
  kUnpack = 88,
  kResizeNearestNeighbor = 97,
  kLeakyRelu = 98,
  kAbs = 101,
  kSplitV = 102,
  kElu = 111,
  kQuantize = 114,
  kHardSwish = 117,
  kBatchMatmul = 126,
  kCallOnce = 129,
  kVarHandle = 142,
  kReadVariable = 143,
  kAssignVariable = 144,
};

// BuiltinOptions: the union's type byte
enum Options : uint8_t {
  kNoOptions = 0,
  kConv2dOptions = 1,
  kDepthwiseConv2dOptions = 2,
  kPool2dOptions = 5,
  kSvdfOptions = 6,
  kFullyConnectedOptions = 8,
  kSoftmaxOptions = 9,
  kConcatenationOptions = 10,
  kAddOptions = 11,
  kResizeBilinearOptions = 15,
  kReshapeOptions = 17,
  kSpaceToDepthOptions = 19,
  kMulOptions = 21,
  kGatherOptions = 23,
  kBatchToSpaceNdOptions = 24,
  kSpaceToBatchNdOptions = 25,
  kReducerOptions = 27,
  kSubOptions = 28,
  kSqueezeOptions = 30,
  kStridedSliceOptions = 32,
  kSplitOptions = 35,
  kArgMaxOptions = 40,
  kTransposeConvOptions = 49,
  kShapeOptions = 55,
  kArgMinOptions = 57,
  kPackOptions = 59,
  kUnpackOptions = 64,
  kResizeNearestNeighborOptions = 74,
  kLeakyReluOptions = 75,
  kSplitVOptions = 79,
  kDepthToSpaceOptions = 94,
  kBatchMatmulOptions = 101,
  kCallOnceOptions = 103,
  kVarHandleOptions = 111,
  kReadVariableOptions = 112,
  kAssignVariableOptions = 113,
};

enum Padding : uint8_t { kSame = 0, kValid = 1 };
enum Activation : uint8_t { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3, kTanh = 4, kSignBit = 5 };

enum ConvField : uint16_t {
  kConvPadding = 0,
  kConvStrideW = 1,
  kConvStrideH = 2,
  kConvActivation = 3,
  kConvDilationW = 4,
  kConvDilationH = 5,
};
enum DepthwiseField : uint16_t {
  kDepthwisePadding = 0,
  kDepthwiseStrideW = 1,
  kDepthwiseStrideH = 2,
  kDepthwiseMultiplier = 3,
  kDepthwiseActivation = 4,
  kDepthwiseDilationW = 5,
  kDepthwiseDilationH = 6,
};
enum PoolField : uint16_t {
  kPoolPadding = 0,
  kPoolStrideW = 1,
  kPoolStrideH = 2,
  kPoolFilterW = 3,
  kPoolFilterH = 4,
  kPoolActivation = 5,
};
enum FullyConnectedField : uint16_t { kFcActivation = 0, kFcWeightsFormat = 1 };
enum SoftmaxField : uint16_t { kSoftmaxBeta = 0 };
enum ArithmeticField : uint16_t { kArithmeticActivation = 0 };  // of ADD, SUB and MUL
enum LeakyReluField : uint16_t { kLeakyReluAlpha = 0 };
enum ReducerField : uint16_t { kReducerKeepDims = 0 };
enum BatchMatmulField : uint16_t { kMatmulAdjointX = 0, kMatmulAdjointY = 1 };
enum SvdfField : uint16_t { kSvdfRank = 0, kSvdfActivation = 1 };
enum ConcatenationField : uint16_t { kConcatenationAxis = 0, kConcatenationActivation = 1 };
enum SplitField : uint16_t { kSplitCount = 0 };
enum PackField : uint16_t { kPackCount = 0, kPackAxis = 1 };
enum UnpackField : uint16_t { kUnpackCount = 0, kUnpackAxis = 1 };
enum SqueezeField : uint16_t { kSqueezeDims = 0 };
enum GatherField : uint16_t { kGatherAxis = 0, kGatherBatchDims = 1 };
enum BlockField : uint16_t { kDepthToSpaceBlock = 0, kSpaceToDepthBlock = 0 };
enum ResizeNearestField : uint16_t { kNearestAlignCorners = 0, kNearestHalfPixel = 1 };
enum ResizeBilinearField : uint16_t { kBilinearAlignCorners = 2, kBilinearHalfPixel = 3 };
enum TransposeConvField : uint16_t {
  kTransposeConvPadding = 0,
  kTransposeConvStrideW = 1,
  kTransposeConvStrideH = 2,
  kTransposeConvActivation = 3,
};
enum StridedSliceField : uint16_t {
  kStridedBeginMask = 0,
  kStridedEndMask = 1,
  kStridedEllipsisMask = 2,
  kStridedNewAxisMask = 3,
  kStridedShrinkMask = 4,
  kStridedOffset = 5,
};
enum CallOnceField : uint16_t { kCallOnceSubgraph = 0 };
enum VarHandleField : uint16_t { kVarHandleContainer = 0, kVarHandleName = 1 };

}  // namespace tinyhil::schema

#endif  // TINYHIL_INTERPRETER_SCHEMA_H_
