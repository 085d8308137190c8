# SPDX-License-Identifier: Apache-2.0
"""Writes small .tflite models: the project's own trained ones, and models of a single operator for tests.

Needs the package `flatbuffers` (pip install 'tinyhil[models]'). Equal calls give equal bytes.

    writer = ModelWriter()
    x = writer.tensor((1, 8), scale=0.5, zero_point=-3)
    w = writer.tensor((4, 8), scale=0.01, data=weights)
    y = writer.tensor((1, 4), scale=0.25)
    writer.operator("FULLY_CONNECTED", [x, w, -1], [y], fused_activation_function="RELU")
    data = writer.finish(inputs=[x], outputs=[y])
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.errors import MissingTool
from tinyhil.model import schema
from tinyhil.model.graph import OptionValue

_DATA_ALIGNMENT = 16  # that the schema demands of a buffer's bytes


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_dimension: int
    buffer: int
    is_variable: bool


@dataclass(frozen=True)
class _Operator:
    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str
    options: dict[str, OptionValue]
    custom_options: bytes


class GraphWriter:
    """Collects tensors and operators of one subgraph, in the order in which operators run."""

    def __init__(self, buffers: list[bytes], codes: list[tuple[int, str, int]], index: int) -> None:
        self.index = index
        self.inputs: Sequence[int] = ()
        self.outputs: Sequence[int] = ()
        self._buffers = buffers
        self._codes = codes
        self._tensors: list[_Tensor] = []
        self._operators: list[_Operator] = []

    @property
    def operator_names(self) -> list[str]:
        """The operators that the model uses so far, each once; a custom one by its own name."""
        return [custom or schema.operator_name(builtin) for builtin, custom, _ in self._codes]

    def tensor(
        self,
        shape: Sequence[int],
        type: str = "int8",
        *,
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        quantized_dimension: int = 0,
        data: NDArray[Any] | None = None,
        variable: bool = False,
        name: str = "",
    ) -> int:
        """Adds a tensor and returns its index.

        `scale` and `zero_point` are one number, or one per entry of `shape[quantized_dimension]`; without `scale` it is
        not quantized. With `data` it is a constant. Raises ValueError where data has another shape or does not fit.
        """
        scales = () if scale is None else tuple(float(s) for s in np.atleast_1d(np.asarray(scale)))
        zero_points = tuple(int(z) for z in np.broadcast_to(np.asarray(zero_point), len(scales)))
        index = len(self._tensors)
        buffer = 0
        if data is not None:
            buffer = len(self._buffers)
            self._buffers.append(_constant_bytes(data, tuple(shape), type))
        self._tensors.append(
            _Tensor(
                name=name or f"tensor_{index}",
                shape=tuple(int(length) for length in shape),
                type=type,
                scales=scales,
                zero_points=zero_points,
                quantized_dimension=quantized_dimension,
                buffer=buffer,
                is_variable=variable,
            )
        )
        return index

    def operator(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        custom: bool = False,
        custom_options: bytes = b"",
        version: int = 1,
        **options: OptionValue,
    ) -> None:
        """Adds an operator by the schema's name, or a custom one by its own. -1 leaves an optional input out.

        Options go by the schema's names (padding="SAME", stride_w=2); those left out have the schema's defaults, but
        strides, dilations and depth_multiplier are 1 and beta is 1.0, as every converter writes them; a text of () is
        not in the file at all.
        Raises ValueError for an operator or option that the schema does not have.
        """
        if not custom and name not in schema.BUILTIN_OPERATORS:
            raise ValueError(f"the schema has no operator {name}")
        builtin = schema.CUSTOM if custom else schema.BUILTIN_OPERATORS.index(name)
        table = "" if custom else schema.OPTIONS_OF_OPERATOR.get(name, "")
        fields = {field: default for _, field, _, default in schema.OPTIONS.get(table, ())}
        unknown = sorted(set(options) - set(fields))
        if unknown:
            raise ValueError(f"{name} has no option {', '.join(unknown)}")
        usual = {field: value for field, value in _USUAL.items() if field in fields}
        code = (builtin, name if custom else "", version)
        if code not in self._codes:
            self._codes.append(code)
        self._operators.append(
            _Operator(
                code=self._codes.index(code),
                inputs=tuple(inputs),
                outputs=tuple(outputs),
                table=table,
                options={**usual, **options},
                custom_options=custom_options,
            )
        )

    def emit(self, out: _Emitter) -> _Ref:
        """Writes the subgraph."""
        tensors = [self._emit_tensor(out, tensor) for tensor in self._tensors]
        operators = [self._emit_operator(out, operator) for operator in self._operators]
        return out.table(
            {
                schema.GRAPH_TENSORS: out.offsets(tensors),
                schema.GRAPH_INPUTS: out.numbers(self.inputs, "i32"),
                schema.GRAPH_OUTPUTS: out.numbers(self.outputs, "i32"),
                schema.GRAPH_OPERATORS: out.offsets(operators),
                schema.GRAPH_NAME: out.text("main" if self.index == 0 else f"subgraph_{self.index}"),
            }
        )

    def _emit_tensor(self, out: _Emitter, tensor: _Tensor) -> _Ref:
        quantization: dict[int, _Value] = {}
        if tensor.scales:
            quantization = {
                schema.QUANT_SCALE: out.numbers(tensor.scales, "f32"),
                schema.QUANT_ZERO_POINT: out.numbers(tensor.zero_points, "i64"),
                schema.QUANT_DIMENSION: ("i32", tensor.quantized_dimension),
            }
        return out.table(
            {
                schema.TENSOR_SHAPE: out.numbers(tensor.shape, "i32"),
                schema.TENSOR_TYPE: ("i8", schema.TENSOR_TYPES.index(tensor.type)),
                schema.TENSOR_BUFFER: ("u32", tensor.buffer),
                schema.TENSOR_NAME: out.text(tensor.name),
                schema.TENSOR_QUANTIZATION: out.table(quantization),
                schema.TENSOR_IS_VARIABLE: ("bool", tensor.is_variable),
            }
        )

    def _emit_operator(self, out: _Emitter, operator: _Operator) -> _Ref:
        fields: dict[int, _Value] = {
            schema.OPERATOR_CODE: ("u32", operator.code),
            schema.OPERATOR_INPUTS: out.numbers(operator.inputs, "i32"),
            schema.OPERATOR_OUTPUTS: out.numbers(operator.outputs, "i32"),
        }
        if operator.table:
            options: dict[int, _Value] = {}
            for position, name, kind, default in schema.OPTIONS[operator.table]:
                value = operator.options.get(name, default)
                if kind == "text":
                    if not isinstance(value, tuple):
                        options[position] = out.text(str(value or ""))
                elif kind == "i32[]":
                    if isinstance(value, Sequence) and not isinstance(value, str):
                        options[position] = out.numbers(value, "i32")
                elif isinstance(value, str):
                    options[position] = ("i8", schema.NAMED_KINDS[kind].index(value))
                elif not isinstance(value, tuple):
                    options[position] = ("i8" if kind in schema.NAMED_KINDS else kind, value)
            fields[schema.OPERATOR_OPTIONS_TYPE] = ("u8", schema.OPTIONS_TABLES.index(operator.table))
            fields[schema.OPERATOR_OPTIONS] = out.table(options)
        if operator.custom_options:
            fields[schema.OPERATOR_CUSTOM_OPTIONS] = out.data(operator.custom_options)
        return out.table(fields)


class ModelWriter(GraphWriter):
    """Collects a model: the tensors and operators of its main subgraph, and further subgraphs."""

    def __init__(self, description: str = "") -> None:
        # Buffer number 0 stands for "no constant"; a code is builtin code, custom name, version.
        super().__init__([b""], [], 0)
        self._description = description
        self._further: list[GraphWriter] = []

    def subgraph(self) -> GraphWriter:
        """Adds a subgraph; what an operator that calls it needs is its `index`. Set its `inputs` and `outputs`."""
        self._further.append(GraphWriter(self._buffers, self._codes, 1 + len(self._further)))
        return self._further[-1]

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The bytes of the .tflite file. Raises MissingTool where `flatbuffers` is not installed."""
        try:
            flatbuffers = importlib.import_module("flatbuffers")
        except ImportError as error:
            raise MissingTool(
                "the Python package flatbuffers is not installed: models cannot be written",
                next_step="pip install 'tinyhil[models]'",
            ) from error
        out = _Emitter(flatbuffers.Builder(1024))
        buffers = [out.table({schema.BUFFER_DATA: out.data(data)} if data else {}) for data in self._buffers]
        codes = [self._emit_code(out, *code) for code in self._codes]
        self.inputs, self.outputs = inputs, outputs
        graphs = [graph.emit(out) for graph in (self, *self._further)]
        root = out.table(
            {
                schema.MODEL_VERSION: ("u32", schema.SCHEMA_VERSION),
                schema.MODEL_OPERATOR_CODES: out.offsets(codes),
                schema.MODEL_SUBGRAPHS: out.offsets(graphs),
                schema.MODEL_DESCRIPTION: out.text(self._description),
                schema.MODEL_BUFFERS: out.offsets(buffers),
            }
        )
        return out.finish(root)

    def _emit_code(self, out: _Emitter, builtin: int, custom: str, version: int) -> _Ref:
        return out.table(
            {
                schema.CODE_DEPRECATED: ("i8", min(builtin, 127)),
                schema.CODE_CUSTOM: out.text(custom),
                schema.CODE_VERSION: ("i32", version),
                schema.CODE_BUILTIN: ("i32", builtin),
            }
        )


_USUAL: dict[str, OptionValue] = {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1, "beta": 1.0}


def _constant_bytes(data: NDArray[Any], shape: tuple[int, ...], type_name: str) -> bytes:
    if data.size != math.prod(shape):
        raise ValueError(f"data of shape {list(data.shape)} for a tensor of shape {list(shape)}")
    converted = data.astype(np.dtype(type_name).newbyteorder("<"))
    if converted.dtype.kind in "iub" and not np.array_equal(converted, data):
        raise ValueError(f"data has values that {type_name} does not hold")
    return converted.tobytes()


@dataclass(frozen=True)
class _Ref:
    """Something written earlier that a field points to."""

    offset: int


_Value = _Ref | tuple[str, float]


class _Emitter:
    """flatbuffers' builder, by field positions instead of generated code. Children are written before parents."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._slots = {
            "i8": builder.PrependInt8Slot,
            "u8": builder.PrependUint8Slot,
            "bool": builder.PrependBoolSlot,
            "i32": builder.PrependInt32Slot,
            "u32": builder.PrependUint32Slot,
            "f32": builder.PrependFloat32Slot,
        }
        self._prepend = {
            "i32": (4, builder.PrependInt32),
            "i64": (8, builder.PrependInt64),
            "f32": (4, builder.PrependFloat32),
        }

    def text(self, value: str) -> _Ref:
        return _Ref(self._builder.CreateString(value))

    def data(self, value: bytes) -> _Ref:
        self._builder.StartVector(1, len(value), _DATA_ALIGNMENT)
        for byte in reversed(value):
            self._builder.PrependByte(byte)
        return _Ref(self._builder.EndVector())

    def numbers(self, values: Sequence[float], kind: str) -> _Ref:
        size, prepend = self._prepend[kind]
        self._builder.StartVector(size, len(values), size)
        for value in reversed(values):
            prepend(value)
        return _Ref(self._builder.EndVector())

    def offsets(self, values: Sequence[_Ref]) -> _Ref:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependUOffsetTRelative(value.offset)
        return _Ref(self._builder.EndVector())

    def table(self, fields: dict[int, _Value]) -> _Ref:
        """Every field is written, also where it has the schema's default: readers need not agree on defaults."""
        self._builder.StartObject(max(fields, default=-1) + 1)
        for position, value in fields.items():
            if isinstance(value, _Ref):
                self._builder.PrependUOffsetTRelativeSlot(position, value.offset, 0)
            else:
                kind, number = value
                self._slots[kind](position, number, None)
        return _Ref(self._builder.EndObject())

    def finish(self, root: _Ref) -> bytes:
        self._builder.Finish(root.offset, file_identifier=schema.FILE_IDENTIFIER)
        return bytes(self._builder.Output())
