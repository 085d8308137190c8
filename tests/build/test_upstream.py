# SPDX-License-Identifier: Apache-2.0
"""TFLite Micro and CMSIS-NN are found where the user has them, and what cannot be used is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tinyhil.errors import MissingTool
from tinyhil.library import cmsis_nn_library, fingerprint, tflm_libraries
from tinyhil.upstream import find_cmsis_nn, find_tflm, revision

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TFLM = {
    "tensorflow/lite/micro/micro_interpreter.h": "",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": "",
    "tensorflow/lite/micro/micro_common.h": "struct TFLMRegistration {};",
    "tensorflow/lite/micro/debug_log.h": "void DebugLog(const char* format, va_list args);",
    "tensorflow/lite/micro/debug_log.cc": "",
    "tensorflow/lite/micro/micro_log.cc": "",
    "tensorflow/lite/micro/micro_log_test.cc": "",
    "tensorflow/lite/micro/kernels/conv.cc": "",
    "tensorflow/lite/micro/kernels/tanh.cc": "",
    "tensorflow/lite/micro/kernels/cmsis_nn/conv.cc": "",
    "tensorflow/lite/micro/examples/hello_world/hello_world.cc": "",
    "tensorflow/lite/core/c/common.cc": "",
    "tensorflow/lite/schema/schema_generated.h": "",
}
FLATBUFFERS = {"include/flatbuffers/flatbuffers.h": ""}
GEMMLOWP = {"fixedpoint/fixedpoint.h": ""}
RUY = {"ruy/profiler/instrumentation.h": ""}
CMSIS_NN = {
    "Include/arm_nnfunctions.h": "",
    "Include/arm_nn_types.h": "",
    "Include/arm_nnsupportfunctions.h": "arm_vector_sum_s8",
    "Source/ConvolutionFunctions/arm_convolve_wrapper_s8.c": "",
    "Source/ConvolutionFunctions/arm_convolve_f32.c": "",
}
CMSIS = {"CMSIS/Core/Include/cmsis_compiler.h": ""}
VARIABLES = (
    "TFLM_DIR", "FLATBUFFERS_DIR", "GEMMLOWP_DIR", "RUY_DIR", "CMSIS_NN_DIR", "CMSIS_DIR",
    "TINYHIL_WEST_WORKSPACE", "ZEPHYR_BASE",
)  # fmt: skip
DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every tree, named by the environment; returns the folder they are in."""
    trees = {"TFLM": TFLM, "FLATBUFFERS": FLATBUFFERS, "GEMMLOWP": GEMMLOWP, "RUY": RUY, "CMSIS_NN": CMSIS_NN}
    for name, files in trees.items():
        monkeypatch.setenv(f"{name}_DIR", str(plant(tmp_path / name, files)))
    return tmp_path


@pytest.mark.parametrize(
    ("find", "variable", "requirement"),
    [(find_tflm, "TFLM_DIR", "tflm"), (find_cmsis_nn, "CMSIS_NN_DIR", "cmsis_nn")],
)
def test_what_is_nowhere_is_refused_with_what_to_set(
    find: Callable[[], object], variable: str, requirement: str
) -> None:
    with pytest.raises(MissingTool) as caught:
        find()
    assert variable in caught.value.message
    assert variable in caught.value.next_step
    assert "TINYHIL_WEST_WORKSPACE" in caught.value.next_step
    assert caught.value.requirement == requirement
    assert caught.value.exit_status == 22


def test_the_environment_names_the_trees(everything: Path) -> None:
    tflm = find_tflm()
    assert tflm.root.path == everything / "TFLM"
    assert tflm.root.found_by == "TFLM_DIR"
    assert tflm.ruy.path == everything / "RUY"
    assert find_cmsis_nn().root.path == everything / "CMSIS_NN"


def test_a_variable_that_names_no_folder_is_refused_and_nothing_else_is_looked_at(
    everything: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFLM_DIR", str(everything / "nothing"))
    with pytest.raises(MissingTool, match=r"TFLM_DIR is .*/nothing, which is no folder"):
        find_tflm()


@pytest.mark.parametrize("lost", ["tensorflow/lite/micro/kernels/conv.cc", "tensorflow/lite/schema/schema_generated.h"])
def test_half_a_tree_is_refused_with_the_file_that_is_not_there(everything: Path, lost: str) -> None:
    (everything / "TFLM" / lost).unlink()
    with pytest.raises(MissingTool, match=lost):
        find_tflm()


@pytest.mark.parametrize("missing", ["FLATBUFFERS_DIR", "GEMMLOWP_DIR", "RUY_DIR"])
def test_what_tflite_micro_includes_is_missed_by_name(
    everything: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(MissingTool, match=missing) as caught:
        find_tflm()
    assert caught.value.requirement == "tflm"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("TFLM/tensorflow/lite/micro/micro_common.h", "struct TfLiteRegistration_V1 {};"),
        ("TFLM/tensorflow/lite/micro/debug_log.h", "void DebugLog(const char* s);"),
    ],
)
def test_a_tflite_micro_that_is_too_old_is_refused(everything: Path, file: str, text: str) -> None:
    (everything / file).write_text(text)
    with pytest.raises(MissingTool, match="too old") as caught:
        find_tflm()
    assert caught.value.requirement == "tflm"


def test_a_cmsis_nn_that_is_too_old_is_refused(everything: Path) -> None:
    (everything / "CMSIS_NN/Include/arm_nnsupportfunctions.h").write_text("")
    with pytest.raises(MissingTool, match="too old"):
        find_cmsis_nn()


def test_a_cmsis_nn_that_includes_cmsis_needs_it(everything: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_cmsis_nn().core is None
    (everything / "CMSIS_NN/Include/arm_nn_types.h").write_text('#include "cmsis_compiler.h"')
    with pytest.raises(MissingTool, match="CMSIS_DIR"):
        find_cmsis_nn()
    monkeypatch.setenv("CMSIS_DIR", str(plant(everything / "CMSIS", CMSIS)))
    core = find_cmsis_nn().core
    assert core is not None and core.path == everything / "CMSIS"
    assert core.path / "CMSIS/Core/Include" in cmsis_nn_library(find_cmsis_nn()).includes


@pytest.mark.parametrize("inner", [DOWNLOADS, "third_party"])
def test_what_lies_inside_tflite_micro_is_found_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    root = plant(tmp_path / "tflm", TFLM)
    for name, files in {"flatbuffers": FLATBUFFERS, "gemmlowp": GEMMLOWP, "ruy": RUY}.items():
        plant(root / inner / name, files)
    monkeypatch.setenv("TFLM_DIR", str(root))
    tflm = find_tflm()
    assert tflm.flatbuffers.path == root / inner / "flatbuffers"
    assert tflm.ruy.found_by == f"inside {root}"


@pytest.mark.parametrize("prefix", ["", "optional/"])
@pytest.mark.parametrize("named_by", ["TINYHIL_WEST_WORKSPACE", "ZEPHYR_BASE", "current folder"])
def test_a_west_workspace_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, named_by: str
) -> None:
    topdir = plant(tmp_path / "workspace", {".west/config": "", "zephyr/VERSION": "", "app/CMakeLists.txt": ""})
    tflm = plant(topdir / f"{prefix}modules/lib/tflite-micro", TFLM)
    for name, files in {"flatbuffers": FLATBUFFERS, "gemmlowp": GEMMLOWP, "ruy": RUY}.items():
        plant(tflm / "third_party" / name, files)
    plant(topdir / "modules/lib/cmsis-nn", {**CMSIS_NN, "Include/arm_nn_types.h": '#include "cmsis_compiler.h"'})
    plant(topdir / "modules/hal/cmsis_6", CMSIS)
    if named_by == "current folder":
        monkeypatch.chdir(topdir / "app")
    else:
        monkeypatch.setenv(named_by, str(topdir / "zephyr" if named_by == "ZEPHYR_BASE" else topdir))
    assert find_tflm().root.path == tflm
    assert named_by in find_tflm().root.found_by
    core = find_cmsis_nn().core
    assert core is not None and core.path == topdir / "modules/hal/cmsis_6"


def test_half_a_module_of_a_workspace_is_told_apart_from_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(tmp_path / "workspace"))
    plant(tmp_path / "workspace/modules/lib/cmsis-nn", {"Include/arm_nnfunctions.h": ""})
    with pytest.raises(MissingTool, match=r"modules/lib/cmsis-nn has no Include/arm_nn_types\.h"):
        find_cmsis_nn()


def test_a_revision_is_read_from_a_checkout_a_branch_a_packed_branch_and_a_worktree(tmp_path: Path) -> None:
    detached = plant(tmp_path / "a", {".git/HEAD": f"{COMMIT}\n"})
    branch = plant(tmp_path / "b", {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": f"{COMMIT}\n"})
    packed = plant(
        tmp_path / "c",
        {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": f"# pack-refs\n{COMMIT} refs/heads/main\n"},
    )
    plant(branch, {".git/worktrees/w/HEAD": "ref: refs/heads/main\n", ".git/worktrees/w/commondir": "../..\n"})
    worktree = plant(tmp_path / "w", {".git": f"gitdir: {branch}/.git/worktrees/w\n"})
    assert [revision(folder) for folder in (detached, branch, packed, worktree)] == [COMMIT] * 4
    assert revision(tmp_path) == ""


def test_a_set_of_kernels_takes_the_place_of_the_reference_files_of_the_same_name(everything: Path) -> None:
    (reference,) = tflm_libraries(find_tflm(), "reference", None)
    shared, own = tflm_libraries(find_tflm(), "cmsis_nn", find_cmsis_nn())
    micro = "tensorflow/lite/micro"
    assert own.sources == (f"{micro}/kernels/cmsis_nn/conv.cc",)
    assert set(reference.sources) == {*shared.sources, f"{micro}/kernels/conv.cc"}
    assert shared.identity == reference.identity  # so that their objects are the same
    assert {"-DCMSIS_NN", "-DKERNELS_OPTIMIZED_FOR_SPEED"} <= set(own.defines)
    assert everything / "CMSIS_NN/Include" in own.includes


def test_tests_examples_and_the_log_are_not_compiled(everything: Path) -> None:
    (library,) = tflm_libraries(find_tflm(), "reference", None)
    names = {Path(path).name for path in library.sources}
    assert names == {"micro_log.cc", "conv.cc", "tanh.cc", "common.cc"}


def test_kernels_that_tflite_micro_does_not_have_are_refused(everything: Path) -> None:
    with pytest.raises(MissingTool, match="no kernels named cmsis_nn") as caught:
        root = everything / "TFLM/tensorflow/lite/micro/kernels/cmsis_nn"
        (root / "conv.cc").unlink()
        root.rmdir()
        tflm_libraries(find_tflm(), "cmsis_nn", find_cmsis_nn())
    assert caught.value.requirement == "tflm"


def test_float_functions_of_cmsis_nn_are_left_out(everything: Path) -> None:
    assert cmsis_nn_library(find_cmsis_nn()).sources == ("Source/ConvolutionFunctions/arm_convolve_wrapper_s8.c",)


def test_a_fingerprint_follows_what_the_files_hold(everything: Path) -> None:
    from tinyhil import library

    tree = find_cmsis_nn().root

    def now() -> str:
        library._fingerprint.cache_clear()
        return fingerprint(tree, ["Include"])

    first = now()
    header = tree.path / "Include/arm_nn_types.h"
    header.write_text("int x;")
    changed = now()
    assert changed != first
    header.write_text("")
    assert now() == first
    (tree.path / "Include/more.h").write_text("")
    assert now() != first
