# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, whatever builds it: files of the firmware, generated texts, others' libraries."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyhil import __version__
from tinyhil.assets import firmware_dir
from tinyhil.errors import BadInput, BuildFailed, UnsupportedOperator
from tinyhil.library import Library, cmsis_nn_library, tflm_libraries
from tinyhil.upstream import find_cmsis_nn, find_tflm

# Each lists every operator of its engine.
TABLES = ("all_ops.cc", "tflm_all_ops.cc")

# Stands in a generated source for the model's path, which is no part of a key: what the model holds is.
MODEL_PATH = "@MODEL@"


@dataclass(frozen=True)
class Parts:
    """What the firmware is made of, for another build system to compile.

    files: sources as they are. generated: sources by name. libraries: others' sources, with their flags.
    upstream_files: those of `files` that see the libraries' headers, as generated ones do.
    """

    files: tuple[Path, ...]
    generated: Mapping[str, str]
    libraries: tuple[Library, ...]
    upstream_files: tuple[Path, ...]


def parts(
    *,
    engine: str,
    kernels: str,
    board_name: str,
    build_id: str,
    compiler: str,
    model: Path | None = None,
    ops: Sequence[str] | None = None,
    link: bool = True,
) -> Parts:
    """The parts of an image but for its port. Arguments and errors are build_image's.

    compiler: its version, for the image to say. link: False leaves out the command loop and the link.
    """
    return ImageSources(engine, kernels, model, ops).parts(board_name, build_id, compiler, link)


class ImageSources:
    """What an image is made of, whatever builds it: files of the firmware, generated texts, others' libraries."""

    def __init__(self, engine: str, kernels: str, model: Path | None, ops: Sequence[str] | None) -> None:
        self._engine = engine
        self._kernels = kernels
        self._ops = ops
        self._firmware = firmware_dir()
        self._kind = "slot" if model is None else "bundled"
        self._model = None if model is None else model.absolute()
        self._tflm = find_tflm() if engine == "tflm" else None
        self._cmsis_nn = find_cmsis_nn() if kernels == "cmsis_nn" else None
        self._libraries = self._find_libraries()

    def parts(self, board_name: str, build_id: str, compiler: str, link: bool) -> Parts:
        if self._model is not None:
            read_model(self._model)
        files = [path for path in self._engine_files() if link or path.parent.name not in ("link", "app")]
        generated = {
            "model.S": self._model_text().replace(MODEL_PATH, escaped(self._model) if self._model else ""),
            "build_info.cc": self._build_info_text(board_name, build_id, compiler),
        }
        if self._kind == "bundled" or self._ops is not None:
            files = [path for path in files if path.name not in TABLES]
            generated["ops.cc"] = self._tflm_ops_text() if self._engine == "tflm" else self._ops_text(())
        foreign = tuple(path for path in files if sees_libraries(path))
        return Parts(tuple(files), generated, tuple(self._libraries), foreign)

    def _engine_files(self) -> list[Path]:
        """The sources of the engine with all that it runs on, and of link and application."""
        folder = self._firmware / "engine"
        if not (folder / f"{self._engine}.cc").is_file():
            raise BuildFailed(f"There is no engine named '{self._engine}' in {folder}.")
        if self._engine == "tflm":
            # It has kernels of its own; of the interpreter it takes what checks a file.
            files = [*sorted(folder.glob("tflm*.cc"))]
            files += [self._firmware / "interpreter" / name for name in ("flatbuffer.cc", "model.cc")]
        else:
            files = [folder / f"{self._engine}.cc", *self._kernel_files()]
            files += sorted((self._firmware / "interpreter").glob("*.cc"))
        return files + [path for name in ("link", "app") for path in sorted((self._firmware / name).glob("*.cc"))]

    def _find_libraries(self) -> list[Library]:
        """What is compiled of others' sources for this engine and these kernels."""
        libraries = []
        if self._tflm is not None:
            libraries += tflm_libraries(self._tflm, self._kernels, self._cmsis_nn)
        if self._cmsis_nn is not None:
            libraries.append(cmsis_nn_library(self._cmsis_nn))
        return libraries

    def _library_defines(self) -> tuple[str, ...]:
        """What a source that sees the libraries' headers must define as the libraries do: layouts hang on it."""
        defines = [word for library in self._libraries for word in library.defines if word.startswith("-D")]
        return tuple(dict.fromkeys(defines))

    def _kernel_files(self) -> list[Path]:
        """The set's own sources, over those of the reference set: another set calls them for what it cannot do.

        The table of all operators and the set's name are the chosen set's alone.
        """
        chosen = self._firmware / "kernels" / self._kernels
        if not chosen.is_dir():
            raise BuildFailed(f"There is no kernel set named '{self._kernels}' in {chosen.parent}.")
        files = sorted(chosen.glob("*.cc"))
        if self._kernels != "reference":
            below = sorted((chosen.parent / "reference").glob("*.cc"))
            files += [path for path in below if path.name not in ("all_ops.cc", "kernel_set.cc")]
        return files

    def _own_registrations(self) -> tuple[str, ...]:
        """Operators that the chosen set registers in place of the reference set's, by the schema's names."""
        header = self._firmware / "kernels" / self._kernels / "ops.h"
        if self._kernels == "reference" or not header.is_file():
            return ()
        pattern = rf"extern const OpRegistration {_set_prefix(self._kernels)}(\w+);"
        return tuple(re.findall(pattern, header.read_text(encoding="utf-8")))

    def _ops_text(self, custom: Sequence[str]) -> str:
        """The table of a bundled image's operators, or of all operators and the caller's own."""
        header = (self._firmware / "kernels" / "ops.h").read_text(encoding="utf-8")
        known = sorted({*re.findall(r"extern const OpRegistration kOp_(\w+);", header), *custom})
        names = known if self._ops is None else sorted({*self._ops, *(custom if self._kind == "slot" else ())})
        for name in names:
            if name not in known:
                raise UnsupportedOperator(
                    f"The kernel set '{self._kernels}' has no operator {name}.",
                    next_step=f"It has {', '.join(known)}.",
                )
        declared = "".join(f"extern const OpRegistration kOp_{name};\n" for name in custom)
        own = self._own_registrations()
        prefixes = [_set_prefix(self._kernels) if name in own and name not in custom else "kOp_" for name in names]
        entries = "".join(f"    &{prefix}{name},\n" for prefix, name in zip(prefixes, names, strict=True))
        entries = entries or "    nullptr,\n"
        include = f'#include "kernels/{self._kernels}/ops.h"\n' if own else ""
        return (
            f'#include "interpreter/resolver.h"\n#include "kernels/ops.h"\n{include}\nnamespace tinyhil {{\n\n'
            f"{declared}const OpRegistration* const kOps[] = {{\n{entries}}};\n"
            f"const uint32_t kOpCount = {len(names)};\n\n}}  // namespace tinyhil\n"
        )

    def _tflm_ops_text(self) -> str:
        """The operators of a bundled image with TFLite Micro."""
        from tinyhil.model import supported_operators

        known = supported_operators("tflm")
        names = sorted(known if self._ops is None else set(self._ops))
        for name in names:
            if name not in known:
                raise UnsupportedOperator(
                    f"The engine 'tflm' does not register the operator {name}.",
                    next_step=f"It has {', '.join(sorted(known))}.",
                )
        entries = " ".join(f"OP({name},)" for name in names)
        return f'#include "engine/tflm_ops.h"\n\n#define OPS(OP) {entries}\nTINYHIL_TFLM_OPS(OPS)\n'

    def _model_text(self) -> str:
        """The bundled model as an assembler source; the same symbols, and no model, in a slot image."""
        size, incbin = 0, ""
        if self._model is not None:
            size = self._model.stat().st_size
            incbin = f'  .incbin "{MODEL_PATH}"\n'
        return (
            '  .section .model, "a", %progbits\n  .balign 16\n'
            "  .global tinyhil_bundled_model\n  .type tinyhil_bundled_model, %object\n"
            f"tinyhil_bundled_model:\n{incbin}  .size tinyhil_bundled_model, {size}\n"
            '  .section .rodata.tinyhil_bundled_model_bytes, "a", %progbits\n  .balign 4\n'
            "  .global tinyhil_bundled_model_bytes\n  .type tinyhil_bundled_model_bytes, %object\n"
            f"tinyhil_bundled_model_bytes:\n  .4byte {size}\n  .size tinyhil_bundled_model_bytes, 4\n"
            '  .section .note.GNU-stack, "", %progbits\n'
        )

    def _build_info_text(self, board_name: str, build_id: str, compiler: str) -> str:
        values = {
            "kBoardName": board_name,
            "kBuildId": build_id,
            "kVersion": __version__,
            "kEngine": self._engine,
            "kKernels": self._kernels,
            "kImageKind": self._kind,
            "kCompiler": compiler,
        }
        lines = "".join(f"const char {name}[] = {_c_string(value)};\n" for name, value in values.items())
        return f'#include "app/build_info.h"\n\nnamespace tinyhil {{\n\n{lines}\n}}  // namespace tinyhil\n'


def operator_table(ops: Sequence[str]) -> str:
    """The C++ source of the table that a bundled image of the engine builtin has for these operators.

    Raises UnsupportedOperator for one that the engine does not have.
    """
    return ImageSources("builtin", "reference", Path(), ops)._ops_text(())


def custom_operators(sources: Sequence[Path]) -> frozenset[str]:
    """The names under which models find the operators that extra sources register: `{schema::kCustom, "NAME", ...}`.

    Raises BadInput where a source cannot be read, or none registers anything.
    """
    names: set[str] = set()
    for path in sources:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise BadInput(f"{path}: cannot be read: {error.strerror}", next_step="Give a C++ source.") from error
        names |= set(re.findall(r'\bkCustom\s*,\s*"([^"\n]+)"', text))
    if sources and not names:
        raise BadInput(
            f"{', '.join(map(str, sources))}: no custom operator is registered there",
            next_step='Define `extern const OpRegistration kOp_Name = {schema::kCustom, "Name", prepare, eval};` in '
            "the namespace tinyhil: see firmware/examples/custom_operator.",
        )
    return frozenset(names)


def registered_operators(sources: Sequence[Path]) -> tuple[str, ...]:
    """The NAMEs of the registrations kOp_NAME in extra sources, sorted. Raises BuildFailed where one cannot be read."""
    names: list[str] = []
    for path in sources:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise BuildFailed(f"{path} cannot be read: {error.strerror}") from error
        names += re.findall(r"\bconst\s+OpRegistration\s+kOp_(\w+)", text)
    return tuple(sorted(set(names)))


def sees_libraries(path: Path) -> bool:
    """Whether a source of the firmware includes headers of others."""
    return path.name.startswith("tflm") or path.parent.name == "cmsis_nn"


def _set_prefix(kernels: str) -> str:
    """How a kernel set other than the reference names its registrations: kCmsisNnOp_ followed by the operator."""
    return f"k{''.join(word.capitalize() for word in kernels.split('_'))}Op_"


def read_model(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput(f"The model {path} cannot be read: {error.strerror}") from error


def escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
