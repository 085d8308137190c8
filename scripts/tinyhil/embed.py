# SPDX-License-Identifier: Apache-2.0
"""A model as C or C++ source: the array that people make with xxd, but aligned, const, and told what it is.

The names are xxd's (`NAME`, `NAME_len`), so such a file takes the place of one that xxd made. The same model, name and
arena always give the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyhil import __version__
from tinyhil.errors import BadInput
from tinyhil.model import Model, Tensor
from tinyhil.model.support import supported_operators, tflm_methods

ALIGNMENT = 16  # bytes, that the schema demands of a model's buffers
LANGUAGES = {".c": "C", ".cc": "C++", ".cpp": "C++", ".cxx": "C++"}
_BYTES_A_LINE = 12  # as xxd has it

# TFLite Micro's methods for what the engine tflm leaves out.
_MORE_METHODS = {"IF": "If", "WHILE": "While"}
_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class compl
    concept const const_cast consteval constexpr constinit continue co_await co_return co_yield decltype default delete
    do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires restrict return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while
    xor xor_eq
"""
_C_KEYWORDS = frozenset(_KEYWORDS.split())


@dataclass(frozen=True)
class Arena:
    """The smallest arena that works, and where that was measured."""

    bytes: int
    engine: str
    kernels: str
    board: str
    target: str

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes   [{self.engine}/{self.kernels} on {self.board} ({self.target})]"


@dataclass(frozen=True)
class Embedded:
    """The texts of a model as source. `header` is empty where `source` has the declarations itself."""

    name: str
    source: str
    header: str


def embed(
    model: Model, *, name: str = "", language: str = "C++", header_name: str = "", arena: Arena | None = None
) -> Embedded:
    """The model as source in `language` ("C" or "C++").

    Args:
        name: the array's; made of the file's name where it is empty, as xxd does.
        header_name: put the declarations into a header of this file name, which the source includes.
        arena: what `measure_arena` found; without it the source has no arena constant.

    Raises BadInput for a name that is no identifier.
    """
    name = check_name(name) if name else identifier(model.path.name)
    declared = _declarations(model, name, arena)
    head = _head(model, arena)
    definitions = _definitions(model, name, language)
    if not header_name:
        return Embedded(name, f"{head}\n{declared}\n{definitions}", "")
    guard = f"{name}_{identifier(header_name)}_".upper()
    header = f"{head}\n#ifndef {guard}\n#define {guard}\n\n{declared}\n#endif  // {guard}\n"
    source = f'{_made_by(model)}\n#include "{header_name}"\n\n{definitions}'
    return Embedded(name, source, header)


def identifier(file_name: str) -> str:
    """A C and C++ identifier of any file name: "my-model.v2.tflite" becomes my_model_v2_tflite."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", file_name).strip("_")
    if not re.match(r"[A-Za-z]", words) or words in _C_KEYWORDS:
        words = f"model_{words}".rstrip("_")
    return words


def check_name(name: str) -> str:
    """`name`, where C and C++ leave it to users. Raises BadInput where they do not."""
    reserved = name in _C_KEYWORDS or "__" in name or re.match(r"_[A-Z]", name)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or reserved:
        raise BadInput(
            f"--name {name!r}: {'a reserved word of C or C++' if reserved else 'no identifier of C or C++'}",
            next_step=f"Take letters, digits and underscores, such as {identifier(name)}.",
        )
    return name


def tflm_calls() -> dict[str, str]:
    """The operators that TFLite Micro has, each with the X of the method AddX that registers it."""
    return tflm_methods() | _MORE_METHODS


def measure_arena(
    model: Model,
    *,
    board: str,
    engine: str = "builtin",
    kernels: str = "reference",
    extra_sources: Sequence[Path] = (),
) -> Arena:
    """Loads the model on an emulated board and asks how much of its arena it needs.

    Raises what keeps the model from being loaded there: MissingTool, UnsupportedOperator, FloatModel, SlotOverflow,
    ArenaOverflow, TargetError.
    """
    from tinyhil.board import load_board
    from tinyhil.build import build_image, custom_operators
    from tinyhil.device import Device
    from tinyhil.model import check_runnable
    from tinyhil.runner import default_firmware, default_target

    check_runnable(model, engine, custom_operators(extra_sources))
    found = load_board(board)
    target = default_target(found)
    image = build_image(
        found, engine=engine, kernels=kernels, extra_sources=extra_sources, firmware=default_firmware(found)
    )
    with Device.open(found, target, image, model) as device:
        device.load(model)
        return Arena(device.memory().arena_used, engine, kernels, board, target)


# The text ------------------------------------------------------------------------------------------------------------
def _made_by(model: Model) -> str:
    return f"// Made by tinyhil embed ({__version__}) of {_quoted(model.path.name)}. Do not edit: make it again.\n"


def _head(model: Model, arena: Arena | None) -> str:
    facts = [("length", f"{len(model.data):,} bytes"), ("SHA-256", model.sha256)]
    facts.append(("arena", str(arena) if arena else "not measured"))
    for what, tensors in (("input", model.input_tensors), ("output", model.output_tensors)):
        facts += [(f"{what} {i}", _tensor_line(tensor)) for i, tensor in enumerate(tensors)]
    lines = [f"  {label:<9} {text}" for label, text in facts]
    lines += ["", "TFLite Micro's resolver:", *_indented(_tflm_resolver(model))]
    lines += ["", "tinyhil's engine builtin:", *_indented(_builtin_table(model))]
    return _made_by(model) + "".join(f"// {line}".rstrip() + "\n" for line in ["", *lines])


def _tensor_line(tensor: Tensor) -> str:
    quantization = ""
    if len(tensor.scales) == 1:
        quantization = f", real = {_float(tensor.scales[0])} * (value - {tensor.zero_points[0]})"
        quantization = quantization.replace("- -", "+ ")
    return f"{_quoted(tensor.name)}, {tensor.type}[{', '.join(map(str, tensor.shape))}]{quantization}"


def _tflm_resolver(model: Model) -> list[str]:
    """Lines of C++ that make a resolver with the model's operators alone."""
    methods = tflm_calls()
    custom = {op.custom_name for graph in model.subgraphs for op in graph.operators if op.custom_name}
    lines, count = [], 0
    for name in model.operator_names:
        if name in custom:
            lines.append(f"resolver.AddCustom({_quoted(name)}, your_registration);")
            count += 1
        elif name in methods:
            lines.append(f"resolver.Add{methods[name]}();")
            count += 1
        else:
            lines.append(f"// {name}: TFLite Micro does not have it.")
    include = '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"'
    return [include, f"tflite::MicroMutableOpResolver<{count}> resolver;", *lines]


def _builtin_table(model: Model) -> list[str]:
    """Lines of C++ with the table that the engine builtin wants."""
    from tinyhil.build import operator_table

    known = [name for name in model.operator_names if name in supported_operators("builtin")]
    lines = operator_table(known).splitlines()
    return lines + [f"// {name}: it does not have it." for name in model.operator_names if name not in known]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _declarations(model: Model, name: str, arena: Arena | None) -> str:
    numbers = [("arena_bytes", arena.bytes)] if arena else []
    scales = []
    for what, tensors in (("input", model.input_tensors), ("output", model.output_tensors)):
        numbers.append((f"{what}s", len(tensors)))
        for i, tensor in enumerate(tensors):
            numbers += [(f"{what}_{i}_elements", tensor.elements), (f"{what}_{i}_bytes", tensor.bytes)]
            if len(tensor.scales) == 1:
                numbers.append((f"{what}_{i}_zero_point", tensor.zero_points[0]))
                scales.append(f"extern const float {name}_{what}_{i}_scale;\n")
    entries = "".join(f"  {name}_{key} = {value},\n" for key, value in numbers)
    return (
        '#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
        f"extern const unsigned char {name}[{len(model.data)}];  // aligned to {ALIGNMENT} bytes\n"
        f"extern const unsigned int {name}_len;\n"
        f"extern const char {name}_sha256[65];\n"
        f"{''.join(scales)}\nenum {{\n{entries}}};\n\n"
        "#ifdef __cplusplus\n}\n#endif\n"
    )


def _definitions(model: Model, name: str, language: str) -> str:
    scales = "".join(
        f"const float {name}_{what}_{i}_scale = {_float(tensor.scales[0])}f;\n"
        for what, tensors in (("input", model.input_tensors), ("output", model.output_tensors))
        for i, tensor in enumerate(tensors)
        if len(tensor.scales) == 1
    )
    align = "_Alignas" if language == "C" else "alignas"
    rows = (model.data[i : i + _BYTES_A_LINE] for i in range(0, len(model.data), _BYTES_A_LINE))
    table = "".join("  " + ", ".join(f"0x{byte:02x}" for byte in row) + ",\n" for row in rows)
    return (
        f"const unsigned int {name}_len = {len(model.data)};\n"
        f'const char {name}_sha256[65] = "{model.sha256}";\n'
        f"{scales}\n"
        f"{align}({ALIGNMENT}) const unsigned char {name}[{len(model.data)}] = {{\n{table}}};\n"
    )


def _float(value: float) -> str:
    """The shortest decimal that is this float32 again, always with a point or an exponent."""
    return str(np.float32(value))


def _quoted(text: str) -> str:
    """In quotes, of printable ASCII, so that no name ends a comment or carries it on to the next line."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in text)
    return f'"{plain}"'
