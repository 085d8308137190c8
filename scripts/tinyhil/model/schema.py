# SPDX-License-Identifier: Apache-2.0
"""The numbers and names of the TFLite schema (version 3): enumerations, field positions, option tables.

They are part of the public file format: values are only ever added.
"""

from __future__ import annotations

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3

# BuiltinOperator, by code.
_BUILTIN_OPERATORS = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
    LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
    CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
    BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
    ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE
    TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK
    LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD
    RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N
    GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
    PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE
    HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE
    ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
    DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
    UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
    STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
    STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE
    STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
    STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE
    STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW
    STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR
    REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
BUILTIN_OPERATORS: tuple[str, ...] = tuple(_BUILTIN_OPERATORS.split())

# TensorType, by code, in lower case.
_TENSOR_TYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant
    uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
"""
TENSOR_TYPES: tuple[str, ...] = tuple(_TENSOR_TYPES.split())

# BuiltinOptions: the table behind an operator's options, by the union's type byte.
_OPTIONS_TABLES = """
    NONE Conv2DOptions DepthwiseConv2DOptions ConcatEmbeddingsOptions LSHProjectionOptions Pool2DOptions SVDFOptions
    RNNOptions FullyConnectedOptions SoftmaxOptions ConcatenationOptions AddOptions L2NormOptions
    LocalResponseNormalizationOptions LSTMOptions ResizeBilinearOptions CallOptions ReshapeOptions SkipGramOptions
    SpaceToDepthOptions EmbeddingLookupSparseOptions MulOptions PadOptions GatherOptions BatchToSpaceNDOptions
    SpaceToBatchNDOptions TransposeOptions ReducerOptions SubOptions DivOptions SqueezeOptions SequenceRNNOptions
    StridedSliceOptions ExpOptions TopKV2Options SplitOptions LogSoftmaxOptions CastOptions DequantizeOptions
    MaximumMinimumOptions ArgMaxOptions LessOptions NegOptions PadV2Options GreaterOptions GreaterEqualOptions
    LessEqualOptions SelectOptions SliceOptions TransposeConvOptions SparseToDenseOptions TileOptions ExpandDimsOptions
    EqualOptions NotEqualOptions ShapeOptions PowOptions ArgMinOptions FakeQuantOptions PackOptions LogicalOrOptions
    OneHotOptions LogicalAndOptions LogicalNotOptions UnpackOptions FloorDivOptions SquareOptions ZerosLikeOptions
    FillOptions BidirectionalSequenceLSTMOptions BidirectionalSequenceRNNOptions UnidirectionalSequenceLSTMOptions
    FloorModOptions RangeOptions ResizeNearestNeighborOptions LeakyReluOptions SquaredDifferenceOptions
    MirrorPadOptions AbsOptions SplitVOptions UniqueOptions ReverseV2Options AddNOptions GatherNdOptions CosOptions
    WhereOptions RankOptions ReverseSequenceOptions MatrixDiagOptions QuantizeOptions MatrixSetDiagOptions
    HardSwishOptions IfOptions WhileOptions DepthToSpaceOptions NonMaxSuppressionV4Options NonMaxSuppressionV5Options
    ScatterNdOptions SelectV2Options DensifyOptions SegmentSumOptions BatchMatMulOptions CumsumOptions CallOnceOptions
    BroadcastToOptions Rfft2dOptions Conv3DOptions HashtableOptions HashtableFindOptions HashtableImportOptions
    HashtableSizeOptions VarHandleOptions ReadVariableOptions AssignVariableOptions RandomOptions BucketizeOptions
    GeluOptions DynamicUpdateSliceOptions UnsortedSegmentProdOptions UnsortedSegmentMaxOptions
    UnsortedSegmentMinOptions UnsortedSegmentSumOptions ATan2Options SignOptions BitcastOptions BitwiseXorOptions
    RightShiftOptions
"""
OPTIONS_TABLES: tuple[str, ...] = tuple(_OPTIONS_TABLES.split())

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

CUSTOM = BUILTIN_OPERATORS.index("CUSTOM")

# Bits of one element. Types that are not here (string, resource, variant) have no size of their own.
_TYPES_BY_BITS = {
    2: ("int2",),
    4: ("int4", "uint4"),
    8: ("int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"),
    16: ("int16", "uint16", "float16", "bfloat16"),
    32: ("int32", "uint32", "float32"),
    64: ("int64", "uint64", "float64", "complex64"),
    128: ("complex128",),
}
TYPE_BITS = {name: bits for bits, names in _TYPES_BY_BITS.items() for name in names}
INTEGER_RANGES = {
    **{f"int{bits}": (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for bits in (2, 4, 8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (4, 8, 16, 32, 64)},
}
FLOAT_TYPES = frozenset({"float32", "float16", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2"})
# Those whose name and layout are NumPy's too.
NUMPY_TYPES = frozenset(TYPE_BITS) - {"int2", "int4", "uint4", "bfloat16", "float8_e4m3fn", "float8_e5m2"}
# Option kinds that are a byte shown by name.
NAMED_KINDS = {"padding": PADDINGS, "activation": ACTIVATIONS, "type": TENSOR_TYPES}

# Field positions ------------------------------------------------------------------------------------------------------
MODEL_VERSION, MODEL_OPERATOR_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS = range(5)
CODE_DEPRECATED, CODE_CUSTOM, CODE_VERSION, CODE_BUILTIN = range(4)
GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS, GRAPH_NAME = range(5)
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTIZATION, TENSOR_IS_VARIABLE, TENSOR_SPARSITY = range(
    7
)
QUANT_MIN, QUANT_MAX, QUANT_SCALE, QUANT_ZERO_POINT, QUANT_DETAILS_TYPE, QUANT_DETAILS, QUANT_DIMENSION = range(7)
BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE = range(3)
(
    OPERATOR_CODE,
    OPERATOR_INPUTS,
    OPERATOR_OUTPUTS,
    OPERATOR_OPTIONS_TYPE,
    OPERATOR_OPTIONS,
    OPERATOR_CUSTOM_OPTIONS,
) = range(6)

# Option tables --------------------------------------------------------------------------------------------------------
# For each: (field position, name, kind, default). Kinds "padding" and "activation" are bytes shown by name,
# "type" is a tensor type, "i32[]" a vector, "text" a string.
_ACTIVATION = ("fused_activation_function", "activation", 0)
Field = tuple[int, str, str, float]


def _fields(*fields: tuple[str, str, float]) -> tuple[Field, ...]:
    return tuple((position, *field) for position, field in enumerate(fields))


OPTIONS: dict[str, tuple[Field, ...]] = {
    "Conv2DOptions": _fields(
        ("padding", "padding", 0),
        ("stride_w", "i32", 0),
        ("stride_h", "i32", 0),
        _ACTIVATION,
        ("dilation_w_factor", "i32", 1),
        ("dilation_h_factor", "i32", 1),
    ),
    "DepthwiseConv2DOptions": _fields(
        ("padding", "padding", 0),
        ("stride_w", "i32", 0),
        ("stride_h", "i32", 0),
        ("depth_multiplier", "i32", 0),
        _ACTIVATION,
        ("dilation_w_factor", "i32", 1),
        ("dilation_h_factor", "i32", 1),
    ),
    "TransposeConvOptions": _fields(
        ("padding", "padding", 0), ("stride_w", "i32", 0), ("stride_h", "i32", 0), _ACTIVATION
    ),
    "Pool2DOptions": _fields(
        ("padding", "padding", 0),
        ("stride_w", "i32", 0),
        ("stride_h", "i32", 0),
        ("filter_width", "i32", 0),
        ("filter_height", "i32", 0),
        _ACTIVATION,
    ),
    "FullyConnectedOptions": _fields(
        _ACTIVATION,
        ("weights_format", "i8", 0),
        ("keep_num_dims", "bool", 0),
        ("asymmetric_quantize_inputs", "bool", 0),
    ),
    "SVDFOptions": _fields(("rank", "i32", 0), _ACTIVATION, ("asymmetric_quantize_inputs", "bool", 0)),
    "SoftmaxOptions": _fields(("beta", "f32", 0.0)),
    "ConcatenationOptions": _fields(("axis", "i32", 0), _ACTIVATION),
    "AddOptions": _fields(_ACTIVATION, ("pot_scale_int16", "bool", 1)),
    "SubOptions": _fields(_ACTIVATION, ("pot_scale_int16", "bool", 1)),
    "MulOptions": _fields(_ACTIVATION),
    "DivOptions": _fields(_ACTIVATION),
    "L2NormOptions": _fields(_ACTIVATION),
    "ReshapeOptions": _fields(("new_shape", "i32[]", 0)),
    "SqueezeOptions": _fields(("squeeze_dims", "i32[]", 0)),
    "ReducerOptions": _fields(("keep_dims", "bool", 0)),
    "GatherOptions": _fields(("axis", "i32", 0), ("batch_dims", "i32", 0)),
    "SplitOptions": _fields(("num_splits", "i32", 0)),
    "SplitVOptions": _fields(("num_splits", "i32", 0)),
    "PackOptions": _fields(("values_count", "i32", 0), ("axis", "i32", 0)),
    "UnpackOptions": _fields(("num", "i32", 0), ("axis", "i32", 0)),
    "StridedSliceOptions": _fields(
        ("begin_mask", "i32", 0),
        ("end_mask", "i32", 0),
        ("ellipsis_mask", "i32", 0),
        ("new_axis_mask", "i32", 0),
        ("shrink_axis_mask", "i32", 0),
        ("offset", "bool", 0),
    ),
    "ResizeBilinearOptions": ((2, "align_corners", "bool", 0), (3, "half_pixel_centers", "bool", 0)),
    "ResizeNearestNeighborOptions": _fields(("align_corners", "bool", 0), ("half_pixel_centers", "bool", 0)),
    "LeakyReluOptions": _fields(("alpha", "f32", 0.0)),
    "GeluOptions": _fields(("approximate", "bool", 0)),
    "CastOptions": _fields(("in_data_type", "type", 0), ("out_data_type", "type", 0)),
    "ArgMaxOptions": _fields(("output_type", "type", 0)),
    "ArgMinOptions": _fields(("output_type", "type", 0)),
    "ShapeOptions": _fields(("out_type", "type", 0)),
    "MirrorPadOptions": _fields(("mode", "i8", 0)),
    "SpaceToDepthOptions": _fields(("block_size", "i32", 0)),
    "DepthToSpaceOptions": _fields(("block_size", "i32", 0)),
    "BatchMatMulOptions": _fields(
        ("adj_x", "bool", 0), ("adj_y", "bool", 0), ("asymmetric_quantize_inputs", "bool", 0)
    ),
    "CumsumOptions": _fields(("exclusive", "bool", 0), ("reverse", "bool", 0)),
    "UnidirectionalSequenceLSTMOptions": _fields(
        _ACTIVATION,
        ("cell_clip", "f32", 0.0),
        ("proj_clip", "f32", 0.0),
        ("time_major", "bool", 0),
        ("asymmetric_quantize_inputs", "bool", 0),
        ("diagonal_recurrent_tensors", "bool", 0),
    ),
    "IfOptions": _fields(("then_subgraph_index", "i32", 0), ("else_subgraph_index", "i32", 0)),
    "WhileOptions": _fields(("cond_subgraph_index", "i32", 0), ("body_subgraph_index", "i32", 0)),
    "CallOnceOptions": _fields(("init_subgraph_index", "i32", 0)),
    "VarHandleOptions": _fields(("container", "text", 0), ("shared_name", "text", 0)),
    "ReadVariableOptions": (),
    "AssignVariableOptions": (),
    "PadOptions": (),
    "PadV2Options": (),
    "TransposeOptions": (),
    "SliceOptions": (),
    "ExpandDimsOptions": (),
    "SpaceToBatchNDOptions": (),
    "BatchToSpaceNDOptions": (),
}

# The option table of a builtin operator; those that are not here have none, or none in OPTIONS.
OPTIONS_OF_OPERATOR = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "READ_VARIABLE": "ReadVariableOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SHAPE": "ShapeOptions",
    "SLICE": "SliceOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE": "TransposeOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNPACK": "UnpackOptions",
    "VAR_HANDLE": "VarHandleOptions",
}


def operator_name(builtin_code: int) -> str:
    """The schema's name of a builtin operator; BUILTIN_<code> for one newer than this list."""
    known = 0 <= builtin_code < len(BUILTIN_OPERATORS)
    return BUILTIN_OPERATORS[builtin_code] if known else f"BUILTIN_{builtin_code}"
