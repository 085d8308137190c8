# SPDX-License-Identifier: Apache-2.0
"""A .tflite model as tinyhil sees it: tensors, operators, what feeds what.

`load_model` reads the main subgraph with every bound checked, and refuses what contradicts itself with the path of the
field (`subgraphs[0].tensors[3].buffer`). It does not judge whether an engine can run the model: see support.py.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tinyhil.errors import NotTflite
from tinyhil.model import schema
from tinyhil.model.flatbuffer import Reader, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_FILE_BYTES = (1 << 31) - 1  # FlatBuffer offsets are signed 32-bit
_MAX_RANK = 8  # of any tensor in TensorFlow Lite
OptionValue = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor. `scales` is empty (not quantized), one number (per tensor) or one per entry of
    `shape[quantized_dimension]` (per channel); `zero_points` has as many. Real value = scale * (value - zero point).
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str  # as the schema has it, in lower case: "int8", "float32"
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_dimension: int
    is_constant: bool
    is_variable: bool
    is_sparse: bool
    bytes: int  # of the whole tensor; 0 for types without a size (string, resource)
    data_offset: int  # where a constant's bytes start in the file

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def per_channel(self) -> bool:
        return len(self.scales) > 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The NumPy type of one element, little-endian. Raises TypeError where NumPy has none (int4, string)."""
        import numpy as np

        if self.type not in schema.NUMPY_TYPES:
            raise TypeError(f"NumPy has no type {self.type}")
        dtype: np.dtype[np.generic] = np.dtype(self.type).newbyteorder("<")
        return dtype


@dataclass(frozen=True)
class Operator:
    """One operator. `inputs` holds -1 where an optional input is left out."""

    index: int
    name: str  # the schema's name, or a custom operator's own
    builtin_code: int
    custom_name: str  # "" for a builtin operator
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int
    options: dict[str, OptionValue] = field(hash=False)
    custom_options_bytes: int
    macs: int  # multiply-accumulates of one inference; 0 for operators that have none


@dataclass(frozen=True)
class Subgraph:
    """One subgraph: operators in the order in which they run; `inputs` and `outputs` are indices into `tensors`."""

    tensors: tuple[Tensor, ...] = field(repr=False)
    operators: tuple[Operator, ...] = field(repr=False)
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A model file, read whole. `tensors` and `operators` are those of the main subgraph, operators in the order in
    which they run; `inputs` and `outputs` are indices into `tensors`. `subgraphs` holds all, the main one first."""

    path: Path
    name: str
    data: bytes = field(repr=False)
    sha256: str
    description: str
    subgraphs: tuple[Subgraph, ...] = field(repr=False)

    @property
    def subgraph_count(self) -> int:
        return len(self.subgraphs)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.subgraphs[0].tensors

    @property
    def operators(self) -> tuple[Operator, ...]:
        return self.subgraphs[0].operators

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.subgraphs[0].inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.subgraphs[0].outputs

    @property
    def operator_names(self) -> tuple[str, ...]:
        """The operators that it uses in any subgraph, each once, sorted."""
        return tuple(sorted({op.name for graph in self.subgraphs for op in graph.operators}))

    @property
    def is_stateful(self) -> bool:
        """Whether an inference may depend on those before it."""
        variables = any(t.is_variable for graph in self.subgraphs for t in graph.tensors)
        return variables or "VAR_HANDLE" in self.operator_names

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.operators)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[i] for i in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[i] for i in self.outputs)

    def reads(self, op: Operator) -> tuple[Tensor, ...]:
        """The activations that `op` reads, in the order of its inputs: constants, variables, their handles and left-out
        inputs are not among them."""
        read = (self.tensors[i] for i in op.inputs if i >= 0 and not self.tensors[i].is_constant)
        return tuple(t for t in read if not t.is_variable and t.type != "resource")

    def writes(self, op: Operator) -> tuple[Tensor, ...]:
        """The activations that `op` writes, in the order of its outputs; no variables and no handles of them."""
        written = (self.tensors[i] for i in op.outputs)
        return tuple(t for t in written if not t.is_variable and t.type != "resource")

    def constant(self, tensor: Tensor) -> NDArray[np.generic]:
        """The value of a constant tensor, read-only, in its shape. Raises ValueError if it is not constant."""
        import numpy as np

        if not tensor.is_constant:
            raise ValueError(f"tensor {tensor.index} ({tensor.name}) is not constant")
        flat = np.frombuffer(self.data, tensor.dtype, tensor.elements, tensor.data_offset)
        return flat.reshape(tensor.shape)


def load_model(path: str | Path) -> Model:
    """Reads a .tflite file.

    Raises:
        NotTflite: there is no such file, or it is something else.
        MalformedModel: offsets, lengths or values contradict the file; names the field.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise NotTflite(
                f"{path}: {'is not a file' if path.exists() else 'no such file'}",
                next_step="Give the path of a .tflite file.",
            )
        data = path.read_bytes() if path.stat().st_size <= _MAX_FILE_BYTES else b""
    except (OSError, ValueError) as error:
        raise NotTflite(f"{path}: cannot be read: {error}", next_step="Give the path of a .tflite file.") from error
    return parse_model(data, path)


def parse_model(data: bytes, path: str | Path) -> Model:
    """As load_model, over bytes that are already in memory; `path` names them in messages and need not exist."""
    path = Path(path)
    if len(data) < 8 or data[4:8] != schema.FILE_IDENTIFIER:
        found = "it is shorter than a file header" if len(data) < 8 else f"bytes 4 to 8 are {data[4:8]!r}, not b'TFL3'"
        raise NotTflite(
            f"{path}: not a .tflite model: {found}",
            next_step="Convert the model with the TensorFlow Lite converter, and give the .tflite file that it writes.",
        )
    reader = Reader(data, str(path))
    root = reader.root("model")
    root.path = ""
    version = root.integer(schema.MODEL_VERSION, "version", "u32")
    if version != schema.SCHEMA_VERSION:
        reader.fail("version", f"schema version is {version}, must be {schema.SCHEMA_VERSION}")
    codes = root.children(schema.MODEL_OPERATOR_CODES, "operator_codes")
    buffers = root.children(schema.MODEL_BUFFERS, "buffers")
    for buffer in buffers:
        buffer.vector(schema.BUFFER_DATA, "data", 1)  # also those that nothing refers to: a truncated file shows here
    subgraphs = root.children(schema.MODEL_SUBGRAPHS, "subgraphs")
    if not subgraphs:
        reader.fail("subgraphs", "there is none")
    graphs = tuple(_subgraph(graph, codes, buffers, main=graph is subgraphs[0]) for graph in subgraphs)
    return Model(
        path=path,
        name=path.stem,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        description=root.text(schema.MODEL_DESCRIPTION, "description"),
        subgraphs=graphs,
    )


def _subgraph(graph: Table, codes: list[Table], buffers: list[Table], *, main: bool) -> Subgraph:
    tensors = tuple(
        _tensor(table, index, buffers) for index, table in enumerate(graph.children(schema.GRAPH_TENSORS, "tensors"))
    )
    operators = tuple(
        _operator(table, index, codes, tensors)
        for index, table in enumerate(graph.children(schema.GRAPH_OPERATORS, "operators"))
    )
    inputs = _tensor_list(graph, schema.GRAPH_INPUTS, "inputs", len(tensors), lowest=0)
    outputs = _tensor_list(graph, schema.GRAPH_OUTPUTS, "outputs", len(tensors), lowest=0)
    for name, indices in (("inputs", inputs), ("outputs", outputs)):
        if main and not indices:
            graph.reader.fail(f"{graph.path}.{name}", "there is none")
    _check_order(graph, tensors, operators, inputs, outputs)
    return Subgraph(tensors=tensors, operators=operators, inputs=inputs, outputs=outputs)


def _tensor(table: Table, index: int, buffers: list[Table]) -> Tensor:
    reader = table.reader
    type_code = table.integer(schema.TENSOR_TYPE, "type", "i8")
    if not 0 <= type_code < len(schema.TENSOR_TYPES):
        reader.fail(f"{table.path}.type", f"no tensor type has number {type_code}")
    type_name = schema.TENSOR_TYPES[type_code]
    shape = table.numbers(schema.TENSOR_SHAPE, "shape", "i32")
    if len(shape) > _MAX_RANK:
        reader.fail(f"{table.path}.shape", f"{len(shape)} dimensions, the most is {_MAX_RANK}")
    for dimension, length in enumerate(shape):
        if length < 0:
            reader.fail(f"{table.path}.shape[{dimension}]", f"is {length}")
    count_bytes = (math.prod(shape) * schema.TYPE_BITS.get(type_name, 0) + 7) // 8
    if count_bytes > _MAX_FILE_BYTES:
        reader.fail(f"{table.path}.shape", f"{list(shape)} of {type_name} is a tensor of 2 GiB or more")
    scales, zero_points, dimension = _quantization(table, type_name)
    is_variable = bool(table.scalar(schema.TENSOR_IS_VARIABLE, "is_variable", "bool", False))
    is_sparse = table.has(schema.TENSOR_SPARSITY)
    data_offset = _constant(table, buffers, type_name, 0 if is_sparse else count_bytes)
    return Tensor(
        index=index,
        name=table.text(schema.TENSOR_NAME, "name"),
        shape=shape,
        type=type_name,
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        is_constant=data_offset != 0,
        is_variable=is_variable,
        is_sparse=is_sparse,
        bytes=count_bytes,
        data_offset=data_offset,
    )


def _quantization(tensor: Table, type_name: str) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    table = tensor.child(schema.TENSOR_QUANTIZATION, "quantization")
    if table is None:
        return (), (), 0
    scales = table.floats(schema.QUANT_SCALE, "scale")
    zero_points = table.numbers(schema.QUANT_ZERO_POINT, "zero_point", "i64")
    dimension = table.integer(schema.QUANT_DIMENSION, "quantized_dimension", "i32")
    if not scales:
        return (), (), 0
    if zero_points and len(zero_points) != len(scales):
        table.reader.fail(f"{table.path}.zero_point", f"{len(zero_points)} zero points for {len(scales)} scales")
    for i, scale in enumerate(scales):
        if not 0.0 < scale < math.inf:
            table.reader.fail(f"{table.path}.scale[{i}]", f"is {scale}, must be positive and finite")
    lowest, highest = schema.INTEGER_RANGES.get(type_name, (-(1 << 31), (1 << 31) - 1))
    for i, zero_point in enumerate(zero_points):
        if not lowest <= zero_point <= highest:
            table.reader.fail(f"{table.path}.zero_point[{i}]", f"is {zero_point}, outside {type_name}")
    return scales, zero_points or (0,) * len(scales), dimension


def _constant(tensor: Table, buffers: list[Table], type_name: str, least_bytes: int) -> int:
    """Where the tensor's constant data starts in the file; 0 if it is computed. Needs `least_bytes` of it."""
    reader = tensor.reader
    index = tensor.integer(schema.TENSOR_BUFFER, "buffer", "u32")
    if index == 0:
        return 0
    if index >= len(buffers):
        reader.fail(f"{tensor.path}.buffer", f"is {index}, but there are {len(buffers)} buffers")
    buffer = buffers[index]
    if buffer.integer(schema.BUFFER_OFFSET, "offset", "u64") > 1:
        reader.fail(f"{buffer.path}.offset", "data outside the FlatBuffer is not supported")
    at, count_bytes = buffer.vector(schema.BUFFER_DATA, "data", 1)
    if count_bytes == 0:
        return 0
    if count_bytes < least_bytes:
        reader.fail(
            f"{tensor.path}.buffer", f"buffers[{index}] has {count_bytes} bytes, but the tensor has {least_bytes}"
        )
    alignment = max(1, schema.TYPE_BITS.get(type_name, 8) // 8)
    if at % alignment:
        reader.fail(f"{buffer.path}.data", f"at byte {at}, misaligned for {type_name}")
    return at


def _tensor_list(table: Table, position: int, name: str, tensor_count: int, *, lowest: int) -> tuple[int, ...]:
    indices = table.numbers(position, name, "i32")
    for i, index in enumerate(indices):
        if not lowest <= index < tensor_count:
            table.reader.fail(f"{table.path}.{name}[{i}]", f"is tensor {index}, but there are {tensor_count} tensors")
    return indices


def _operator(table: Table, index: int, codes: list[Table], tensors: tuple[Tensor, ...]) -> Operator:
    reader = table.reader
    code_index = table.integer(schema.OPERATOR_CODE, "opcode_index", "u32")
    if code_index >= len(codes):
        reader.fail(f"{table.path}.opcode_index", f"is {code_index}, but there are {len(codes)} operator codes")
    code = codes[code_index]
    # Files of before 2020 hold the code in one byte; newer ones hold it in both fields.
    builtin_code = max(
        code.integer(schema.CODE_DEPRECATED, "deprecated_builtin_code", "i8"),
        code.integer(schema.CODE_BUILTIN, "builtin_code", "i32"),
    )
    if builtin_code < 0:
        reader.fail(f"{code.path}.builtin_code", f"is {builtin_code}")
    custom_name = code.text(schema.CODE_CUSTOM, "custom_code") if builtin_code == schema.CUSTOM else ""
    if builtin_code == schema.CUSTOM and not custom_name:
        reader.fail(f"{code.path}.custom_code", "a custom operator needs a name")
    inputs = _tensor_list(table, schema.OPERATOR_INPUTS, "inputs", len(tensors), lowest=-1)
    outputs = _tensor_list(table, schema.OPERATOR_OUTPUTS, "outputs", len(tensors), lowest=0)
    name = schema.operator_name(builtin_code)
    return Operator(
        index=index,
        name=custom_name or name,
        builtin_code=builtin_code,
        custom_name=custom_name,
        inputs=inputs,
        outputs=outputs,
        version=code.integer(schema.CODE_VERSION, "version", "i32", 1),
        options=_options(table),
        custom_options_bytes=table.vector(schema.OPERATOR_CUSTOM_OPTIONS, "custom_options", 1)[1],
        macs=_macs(name, [tensors[i] for i in inputs if i >= 0], [tensors[i] for i in outputs]),
    )


def _options(operator: Table) -> dict[str, OptionValue]:
    """The options by name; empty for tables that schema.OPTIONS does not list."""
    type_code = operator.integer(schema.OPERATOR_OPTIONS_TYPE, "builtin_options_type", "u8")
    table = operator.child(schema.OPERATOR_OPTIONS, "builtin_options")
    if table is None or type_code >= len(schema.OPTIONS_TABLES):
        return {}
    options: dict[str, OptionValue] = {}
    for position, name, kind, default in schema.OPTIONS.get(schema.OPTIONS_TABLES[type_code], ()):
        if kind == "text":
            options[name] = table.text(position, name)
        elif kind == "i32[]":
            options[name] = table.numbers(position, name, "i32")
        elif kind in schema.NAMED_KINDS:
            names = schema.NAMED_KINDS[kind]
            code = table.integer(position, name, "i8", int(default))
            if not 0 <= code < len(names):
                table.reader.fail(f"{table.path}.{name}", f"is {code}, must be below {len(names)}")
            options[name] = names[code]
        else:
            value = table.scalar(position, name, kind, default)
            options[name] = bool(value) if kind == "bool" else value
    return options


def _macs(name: str, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    """Multiply-accumulates by the operator's definition, padding counted as data; 0 where shapes make none."""
    if not outputs or len(inputs) < 2:
        return 0
    weights, output = inputs[1], outputs[0]
    if name == "CONV_2D" and len(weights.shape) == 4:
        return output.elements * math.prod(weights.shape[1:])
    if name == "DEPTHWISE_CONV_2D" and len(weights.shape) == 4:
        return output.elements * weights.shape[1] * weights.shape[2]
    if name == "FULLY_CONNECTED" and len(weights.shape) == 2:
        return output.elements * weights.shape[1]
    if name == "TRANSPOSE_CONV" and len(inputs) > 2 and len(weights.shape) == 4:
        return inputs[2].elements * weights.shape[0] * weights.shape[1] * weights.shape[2]
    if name == "BATCH_MATMUL" and len(inputs[0].shape) >= 2:
        return output.elements * inputs[0].shape[-1]
    return 0


def _check_order(
    graph: Table,
    tensors: tuple[Tensor, ...],
    operators: tuple[Operator, ...],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    """A tensor must hold something before it is read, and is written once."""
    reader = graph.reader
    written = set(inputs) | {t.index for t in tensors if t.is_constant or t.is_variable or t.elements == 0}
    for op in operators:
        for i, index in enumerate(op.inputs):
            if index >= 0 and index not in written:
                reader.fail(
                    f"{graph.path}.operators[{op.index}].inputs[{i}]",
                    f"tensor {index} is read before any operator writes it",
                )
        for i, index in enumerate(op.outputs):
            if index in written and tensors[index].elements and not tensors[index].is_variable:
                reader.fail(
                    f"{graph.path}.operators[{op.index}].outputs[{i}]",
                    f"tensor {index} is a constant, a model input or already written",
                )
        written.update(op.outputs)
    for i, index in enumerate(outputs):
        if index not in written:
            reader.fail(f"{graph.path}.outputs[{i}]", f"no operator writes tensor {index}")
