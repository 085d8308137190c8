# SPDX-License-Identifier: Apache-2.0
"""What is compiled of somebody else's sources: TFLite Micro for the engine `tflm`, CMSIS-NN for the kernels `cmsis_nn`.

The builder compiles each file into its content-addressed objects, as it does the firmware's own. Their keys hold a
fingerprint of the whole tree instead of each file's includes: what is compiled is a revision, not a file. A
fingerprint reads a file again only where its time or size changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyhil.assets import cache_dir
from tinyhil.errors import MissingTool
from tinyhil.upstream import CmsisNn, Tflm, Tree

_SUFFIXES = (".c", ".cc", ".h", ".hpp", ".inc")
_NO_SOURCES = frozenset({"examples", "integration_tests", "python", "testdata", "tools"})
_MICRO = "tensorflow/lite/micro"

# No heap, no locale, no streams; the headers of FlatBuffers ask for none of it then. DCHECKs are for its developers.
_TFLM_DEFINES = (
    "-DTF_LITE_STATIC_MEMORY",
    "-DNDEBUG",
    "-DFLATBUFFERS_LOCALE_INDEPENDENT=0",
    "-DFLATBUFFERS_PREFER_PRINTF=1",
)

# What its own Makefile chooses: sums of weights are taken once. With neither this nor its opposite a core with vectors
# would take them in every inference, and refuse SVDF.
_TFLM_FOR_SPEED = "-DKERNELS_OPTIMIZED_FOR_SPEED"

CMSIS_NN = "cmsis-nn"
"""Its tree's name."""

# It has vector code of its own where a core has vectors; what GCC makes beside it is slower (Cortex-M55: by 0.5 %).
_CMSIS_NN_FLAGS = ("-fno-tree-vectorize",)
# Its way to requantize on a Cortex-M4, by its README the slower one elsewhere; the same bits. A DS-CNN takes 6 % less.
_CMSIS_NN_FLAGS_OF = {"-mcpu=cortex-m4": ("-DCMSIS_NN_USE_REQUANTIZE_INLINE_ASSEMBLY",)}
# GCC 12 makes conditional conversions to float (vcvtne.f32.s32) for cores with vectors, which its assembler refuses.
_TFLM_FLAGS_OF = {"-mcpu=cortex-m55": ("-fno-if-conversion2",), "-mcpu=cortex-m85": ("-fno-if-conversion2",)}
# Parsing what these include is four fifths of the time that a kernel takes to compile.
_TFLM_PREFIX = (
    "tensorflow/lite/kernels/internal/common.h",
    "tensorflow/lite/kernels/internal/quantization_util.h",
    "tensorflow/lite/kernels/kernel_util.h",
    "tensorflow/lite/micro/kernels/kernel_util.h",
    "tensorflow/lite/micro/micro_log.h",
    "tensorflow/lite/schema/schema_generated.h",
)


@dataclass(frozen=True)
class Library:
    """Sources with what they are compiled with.

    name: the tree's; objects lie under upstream/<name>/. identity: changes with whatever the objects depend on.
    sources: relative to root. prefix: headers that most of them include; precompiled, they save most of the time.
    """

    name: str
    root: Path
    identity: str
    sources: tuple[str, ...]
    includes: tuple[Path, ...]
    defines: tuple[str, ...]
    prefix: tuple[str, ...] = ()


def tflm_libraries(tflm: Tflm, kernels: str, cmsis_nn: CmsisNn | None) -> list[Library]:
    """TFLite Micro with one set of kernels: what all sets share, and the set's own files in place of the reference's.

    `cmsis_nn` is needed for the set of that name. Raises MissingTool where TFLite Micro has no such set.
    """
    root = tflm.root.path
    own = root / _MICRO / "kernels" / kernels
    if kernels != "reference" and not own.is_dir():
        raise MissingTool(
            f"The TFLite Micro in {root} has no kernels named {kernels}: {own} is not there.",
            requirement="tflm",
            next_step="Choose the kernels 'reference', or point TFLM_DIR at a whole checkout.",
        )
    includes = (root, tflm.flatbuffers.path / "include", tflm.gemmlowp.path, tflm.ruy.path)
    identity = tflm_identity(tflm)
    replaced = () if kernels == "reference" else _sources(root, [f"{_MICRO}/kernels/{kernels}"])
    names = {Path(path).name for path in replaced}
    folders = [
        _MICRO,
        f"{_MICRO}/arena_allocator",
        f"{_MICRO}/memory_planner",
        f"{_MICRO}/tflite_bridge",
        f"{_MICRO}/kernels",
        *_shared_folders(root),
    ]
    shared = [
        path
        for path in _sources(root, folders)
        if not (Path(path).name in names and path.startswith(f"{_MICRO}/kernels/"))
    ]
    prefix = tuple(header for header in _TFLM_PREFIX if (root / header).is_file())
    libraries = [Library(tflm.root.name, root, identity, tuple(shared), includes, _TFLM_DEFINES, prefix)]
    if replaced:
        assert cmsis_nn is not None
        optimized = cmsis_nn_library(cmsis_nn)
        libraries.append(
            Library(
                tflm.root.name,
                root,
                f"{identity} {optimized.identity}",
                tuple(replaced),
                (*includes, *optimized.includes),
                (*_TFLM_DEFINES, _TFLM_FOR_SPEED, f"-D{kernels.upper()}"),
            )
        )
    return libraries


def tflm_identity(tflm: Tflm) -> str:
    trees = [
        (tflm.root, ("tensorflow/lite", "tensorflow/compiler/mlir/lite")),
        (tflm.flatbuffers, ("include",)),
        (tflm.gemmlowp, ("fixedpoint", "internal")),
        (tflm.ruy, ("ruy/profiler",)),
    ]
    return " ".join(fingerprint(tree, folders) for tree, folders in trees)


def cmsis_nn_library(cmsis_nn: CmsisNn) -> Library:
    """The integer functions of CMSIS-NN."""
    root = cmsis_nn.root.path
    sources = [
        path.relative_to(root).as_posix()
        for path in sorted((root / "Source").rglob("*.c"))
        if not path.stem.endswith(("_f16", "_f32"))
    ]
    includes = [root, root / "Include"]
    identity = fingerprint(cmsis_nn.root, ("Include", "Source"))
    if cmsis_nn.core is not None:
        includes.append(cmsis_nn.core.path / "CMSIS/Core/Include")
        identity += " " + fingerprint(cmsis_nn.core, ("CMSIS/Core/Include",))
    return Library(cmsis_nn.root.name, root, identity, tuple(sources), tuple(includes), _CMSIS_NN_FLAGS)


def core_flags(library: Library, cpu: Sequence[str]) -> tuple[str, ...]:
    """What a library is compiled with besides on the core that the compiler flags `cpu` select."""
    flags_of = _CMSIS_NN_FLAGS_OF if library.name == CMSIS_NN else _TFLM_FLAGS_OF
    return tuple(flag for word in cpu for flag in flags_of.get(word, ()))


def trees_of(tflm: Tflm | None, cmsis_nn: CmsisNn | None) -> list[Tree]:
    """All the trees that an image is made of."""
    trees = [] if tflm is None else [tflm.root, tflm.flatbuffers, tflm.gemmlowp, tflm.ruy]
    if cmsis_nn is not None:
        trees += [cmsis_nn.root] if cmsis_nn.core is None else [cmsis_nn.root, cmsis_nn.core]
    return trees


# Tests and what they stand on; operators that the engine does not register (firmware/engine/tflm_ops.h), which take
# long to compile; the log, which is the engine's.
_LEFT_OUT = re.compile(
    r"(.*_test|.*_test_common|test_helpers|test_helper_custom_ops|fake_.*|mock_.*|kernel_runner|recording_.*|array"
    r"|debug_log|circular_buffer.*|decode.*|decompress.*|detection_postprocess.*|ethosu|hexdump)\.cc"
)


def _sources(root: Path, folders: Sequence[str]) -> list[str]:
    """The sources directly in each folder."""
    found = []
    for folder in folders:
        for path in sorted((root / folder).glob("*.c*")):
            if path.suffix in (".c", ".cc") and not _LEFT_OUT.fullmatch(path.name):
                found.append(path.relative_to(root).as_posix())
    return found


def _shared_folders(root: Path) -> list[str]:
    """Folders of what TFLite Micro shares with TensorFlow Lite; they moved once."""
    folders = []
    elsewhere = (_MICRO, "tensorflow/lite/experimental")
    for top in ("tensorflow/lite", "tensorflow/compiler"):
        for folder, inner, _ in os.walk(root / top):
            here = Path(folder).relative_to(root).as_posix()
            inner[:] = sorted(name for name in inner if f"{here}/{name}" not in elsewhere and name not in _NO_SOURCES)
            folders.append(here)
    return folders


def fingerprint(tree: Tree, folders: Sequence[str]) -> str:
    """40 hex digits over every source and header below `folders`, by name and content."""
    return _fingerprint(tree.path, tuple(folders))


@cache
def _fingerprint(root: Path, folders: tuple[str, ...]) -> str:
    """Once a process: a build asks for it several times, and a tree that changes in between is the next build's."""
    place = hashlib.sha256("\n".join([str(root), *folders]).encode()).hexdigest()[:32]
    memory = cache_dir() / "upstream" / f"{place}.json"
    known = _remembered(memory)
    now: dict[str, tuple[int, int, str]] = {}
    for path, name in _walk(root, folders):
        status = path.stat()
        mtime_ns, size, sha256 = known.get(name, (0, -1, ""))
        if (mtime_ns, size) != (status.st_mtime_ns, status.st_size):
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        now[name] = (status.st_mtime_ns, status.st_size, sha256)
    if now != known:
        _remember(memory, now)
    listing = "".join(f"{name} {sha256}\n" for name, (_, _, sha256) in sorted(now.items()))
    return hashlib.sha256(listing.encode()).hexdigest()[:40]


def _walk(root: Path, folders: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for top in folders:
        for folder, inner, names in os.walk(root / top):
            inner[:] = [name for name in inner if name not in _NO_SOURCES]
            for name in names:
                if name.endswith(_SUFFIXES):
                    path = Path(folder) / name
                    yield path, path.relative_to(root).as_posix()


def _remembered(memory: Path) -> dict[str, tuple[int, int, str]]:
    try:
        entries = json.loads(memory.read_text(encoding="utf-8"))
        return {name: (int(mtime_ns), int(size), str(sha256)) for name, (mtime_ns, size, sha256) in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(memory: Path, entries: dict[str, tuple[int, int, str]]) -> None:
    """Best effort: without it the files are read again next time."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_name(f"{memory.name}.{os.getpid()}")
        fresh.write_text(json.dumps(entries), encoding="utf-8")
        fresh.replace(memory)
    except OSError:
        pass
