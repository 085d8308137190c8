// SPDX-License-Identifier: Apache-2.0
// The numbers of the TFLite schema (version 3) that the interpreter reads: field positions and enumerations.
// They are part of the public file format and never change.
#ifndef TINYHIL_INTERPRETER_SCHEMA_H_
#define TINYHIL_INTERPRETER_SCHEMA_H_

#include <stdint.h>

namespace tinyhil::schema {

enum ModelField : uint16_t { kModelVersion = 0, kModelOperatorCodes = 1, kModelSubgraphs = 2, kModelBuffers = 4 };
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
  kConv2d = 3,
  kDepthwiseConv2d = 4,
  kDequantize = 6,
  kFullyConnected = 9,
  kMaxPool2d = 17,
  kReshape = 22,
  kSoftmax = 25,
  kCustom = 32,
  kQuantize = 114,
};

// BuiltinOptions: the union's type byte
enum Options : uint8_t {
  kNoOptions = 0,
  kConv2dOptions = 1,
  kDepthwiseConv2dOptions = 2,
  kPool2dOptions = 5,
  kFullyConnectedOptions = 8,
  kSoftmaxOptions = 9,
  kAddOptions = 11,
};

enum Padding : uint8_t { kSame = 0, kValid = 1 };
enum Activation : uint8_t { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3 };

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
enum AddField : uint16_t { kAddActivation = 0 };

}  // namespace tinyhil::schema

#endif  // TINYHIL_INTERPRETER_SCHEMA_H_
