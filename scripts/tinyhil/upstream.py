# SPDX-License-Identifier: Apache-2.0
"""Where TFLite Micro and CMSIS-NN are on this machine.

Neither comes with tinyhil: the user has a checkout of each, or a west workspace that holds both. Looked for, in order:

1. the environment: TFLM_DIR and CMSIS_NN_DIR, and for what they need FLATBUFFERS_DIR, GEMMLOWP_DIR, RUY_DIR, CMSIS_DIR;
2. a west workspace: TINYHIL_WEST_WORKSPACE, the one that ZEPHYR_BASE lies in, or the one around the current folder;
   the modules at the places that Zephyr gives them, below optional/ too.

What TFLite Micro needs is also looked for inside it: where its own Makefile downloads to, and in third_party/ (Zephyr's
copy of TFLite Micro carries it there). Nothing is ever downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyhil.errors import MissingTool

_DOWNLOADS = Path("tensorflow/lite/micro/tools/make/downloads")


@dataclass(frozen=True)
class Tree:
    """A folder of somebody else's sources.

    name: as its repository is called. found_by: the environment variable, or what else led there.
    revision: the commit that a Git checkout is at; empty where the folder is no checkout.
    """

    name: str
    path: Path
    revision: str
    found_by: str


@dataclass(frozen=True)
class Tflm:
    """TFLite Micro, and the headers that it includes from others."""

    root: Tree
    flatbuffers: Tree
    gemmlowp: Tree
    ruy: Tree


@dataclass(frozen=True)
class CmsisNn:
    """CMSIS-NN; `core` is the folder of CMSIS's own headers, None where this CMSIS-NN does not need them."""

    root: Tree
    core: Tree | None


@dataclass(frozen=True)
class _Wanted:
    """What makes a folder the tree that is looked for, and where it may be."""

    name: str
    title: str
    requirement: str
    variable: str
    repository: str
    marks: tuple[str, ...]
    in_workspace: tuple[str, ...]
    in_tflm: tuple[str, ...] = ()

    def lacks(self, folder: Path) -> str:
        """The first of the files that make it one which is not there; empty where all are."""
        return next((mark for mark in self.marks if not (folder / mark).is_file()), "")


_TFLM = _Wanted(
    "tflite-micro",
    "TFLite Micro",
    "tflm",
    "TFLM_DIR",
    "https://github.com/tensorflow/tflite-micro",
    (
        "tensorflow/lite/micro/micro_interpreter.h",
        "tensorflow/lite/micro/micro_mutable_op_resolver.h",
        "tensorflow/lite/micro/micro_common.h",
        "tensorflow/lite/micro/debug_log.h",
        "tensorflow/lite/micro/kernels/conv.cc",
        "tensorflow/lite/schema/schema_generated.h",
    ),
    ("modules/lib/tflite-micro",),
)
_FLATBUFFERS = _Wanted(
    "flatbuffers",
    "FlatBuffers",
    "tflm",
    "FLATBUFFERS_DIR",
    "https://github.com/google/flatbuffers",
    ("include/flatbuffers/flatbuffers.h",),
    ("modules/lib/flatbuffers",),
    (f"{_DOWNLOADS}/flatbuffers", "third_party/flatbuffers"),
)
_GEMMLOWP = _Wanted(
    "gemmlowp",
    "gemmlowp",
    "tflm",
    "GEMMLOWP_DIR",
    "https://github.com/google/gemmlowp",
    ("fixedpoint/fixedpoint.h",),
    ("modules/lib/gemmlowp",),
    (f"{_DOWNLOADS}/gemmlowp", "third_party/gemmlowp"),
)
_RUY = _Wanted(
    "ruy",
    "ruy",
    "tflm",
    "RUY_DIR",
    "https://github.com/google/ruy",
    ("ruy/profiler/instrumentation.h",),
    ("modules/lib/ruy",),
    (f"{_DOWNLOADS}/ruy", "third_party/ruy"),
)
_CMSIS_NN = _Wanted(
    "cmsis-nn",
    "CMSIS-NN",
    "cmsis_nn",
    "CMSIS_NN_DIR",
    "https://github.com/ARM-software/CMSIS-NN",
    ("Include/arm_nnfunctions.h", "Include/arm_nn_types.h", "Source/ConvolutionFunctions/arm_convolve_wrapper_s8.c"),
    ("modules/lib/cmsis-nn",),
    (f"{_DOWNLOADS}/cmsis_nn",),
)
_CMSIS = _Wanted(
    "cmsis",
    "CMSIS",
    "cmsis_nn",
    "CMSIS_DIR",
    "https://github.com/ARM-software/CMSIS_6",
    ("CMSIS/Core/Include/cmsis_compiler.h",),
    ("modules/hal/cmsis_6", "modules/hal/cmsis"),
    (f"{_DOWNLOADS}/cmsis",),
)


def variables_of(trees: Iterable[Tree]) -> dict[str, str]:
    """The environment in which another process finds these very trees."""
    variables = {each.name: each.variable for each in (_TFLM, _FLATBUFFERS, _GEMMLOWP, _RUY, _CMSIS_NN, _CMSIS)}
    return {variables[tree.name]: str(tree.path) for tree in trees}


def find_tflm() -> Tflm:
    """TFLite Micro and what it includes.

    Raises:
        MissingTool: a tree is not there, is not whole or is too old; with where it was looked for and what to set.
    """
    root = _find(_TFLM)
    _check_tflm(root.path)
    inside = (root.path,)
    return Tflm(root, _find(_FLATBUFFERS, inside), _find(_GEMMLOWP, inside), _find(_RUY, inside))


def find_cmsis_nn() -> CmsisNn:
    """CMSIS-NN and, where it includes them, CMSIS's headers.

    Raises:
        MissingTool: as find_tflm.
    """
    tflm = os.environ.get(_TFLM.variable)
    inside = (Path(tflm),) if tflm else ()
    root = _find(_CMSIS_NN, inside)
    _check_cmsis_nn(root.path)
    needs_core = any("cmsis_compiler.h" in text for text in _texts(sorted((root.path / "Include").rglob("*.h"))))
    return CmsisNn(root, _find(_CMSIS, inside) if needs_core else None)


def _check_tflm(root: Path) -> None:
    """Older trees have other interfaces: the registration's type (May 2023), and the log's (July 2023)."""
    micro = root / "tensorflow/lite/micro"
    if "TFLMRegistration" not in _text(micro / "micro_common.h") or "va_list" not in _text(micro / "debug_log.h"):
        raise MissingTool(
            f"The TFLite Micro in {root} is too old: tinyhil's engine is written for that of July 2023 and newer.",
            requirement=_TFLM.requirement,
            next_step=f"Point {_TFLM.variable} at a newer checkout of {_TFLM.repository}.",
        )


def _check_cmsis_nn(root: Path) -> None:
    if "arm_vector_sum_s8" not in _text(root / "Include/arm_nnsupportfunctions.h"):
        raise MissingTool(
            f"The CMSIS-NN in {root} is too old: tinyhil's kernels are written for release 5.0 and newer.",
            requirement=_CMSIS_NN.requirement,
            next_step=f"Point {_CMSIS_NN.variable} at a newer checkout of {_CMSIS_NN.repository}.",
        )


def _find(wanted: _Wanted, inside: Sequence[Path] = ()) -> Tree:
    """The tree: the one the environment names, the one inside another tree, or the one of a west workspace."""
    named = os.environ.get(wanted.variable)
    if named:
        folder = Path(named).expanduser().absolute()
        lacking = wanted.lacks(folder)
        if lacking:
            what = f"has no {lacking}" if folder.is_dir() else "is no folder"
            raise MissingTool(
                f"{wanted.variable} is {folder}, which {what}: it is no whole checkout of {wanted.title}.",
                requirement=wanted.requirement,
                next_step=f"Point {wanted.variable} at a checkout of {wanted.repository}.",
            )
        return Tree(wanted.name, folder, revision(folder), wanted.variable)
    places = [(parent / name, f"inside {parent}") for parent in inside for name in wanted.in_tflm]
    for topdir, found_by in workspaces():
        for name in wanted.in_workspace:
            places += [(topdir / prefix / name, found_by) for prefix in ("", "optional")]
    half = ""
    for folder, found_by in places:
        lacking = wanted.lacks(folder)
        if not lacking:
            return Tree(wanted.name, folder, revision(folder), found_by)
        if folder.is_dir() and not half:
            half = f"{folder} has no {lacking}"
    looked = ", ".join(dict.fromkeys([wanted.variable, *(str(folder) for folder, _ in places)]))
    raise MissingTool(
        f"{wanted.title} is not there: {half or f'looked at {looked}'}"
        + ("." if places else "; and there is no west workspace here."),
        requirement=wanted.requirement,
        next_step=f"Point {wanted.variable} at a checkout of {wanted.repository}, "
        "or TINYHIL_WEST_WORKSPACE at a west workspace that has it.",
    )


def workspaces() -> Iterator[tuple[Path, str]]:
    """The west workspaces to look in, each with what led there."""
    named = os.environ.get("TINYHIL_WEST_WORKSPACE")
    if named:
        yield Path(named).expanduser().absolute(), "TINYHIL_WEST_WORKSPACE"
    base = os.environ.get("ZEPHYR_BASE")
    if base:
        yield Path(base).expanduser().absolute().parent, "ZEPHYR_BASE"
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".west" / "config").is_file():
            yield folder, "the west workspace around the current folder"
            return


def revision(folder: Path) -> str:
    """The commit a Git checkout or worktree is at, read from its files; empty where the folder is none."""
    git = folder / ".git"
    if git.is_file():
        git = folder / _text(git).partition("gitdir:")[2].strip()
    head = _text(git / "HEAD").strip()
    if not head.startswith("ref: "):
        return head
    name = head[len("ref: ") :]
    common = git / (_text(git / "commondir").strip() or ".")
    for holder in (git, common):
        commit = _text(holder / name).strip()
        if commit:
            return commit
    packed = (line.split() for line in _text(common / "packed-refs").splitlines())
    return next((words[0] for words in packed if words[1:] == [name]), "")


def _text(path: Path) -> str:
    """What a file holds; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _texts(paths: Sequence[Path]) -> Iterator[str]:
    return (_text(path) for path in paths)
