# SPDX-License-Identifier: Apache-2.0
"""How an image on Zephyr is asked for, kept, and refused. CMake and ninja are fakes here."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from fake_zephyr import make_workspace

from tinyhil import library, zephyr
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.errors import (
    ArenaOverflow,
    BadInput,
    BuildFailed,
    FlashOverflow,
    MissingTool,
    OutputUnwritable,
    UnknownBoard,
)
from tinyhil.upstream import _CMSIS, _CMSIS_NN, _FLATBUFFERS, _GEMMLOWP, _RUY, _TFLM
from tinyhil.zephyr import build_zephyr

pytestmark = pytest.mark.usefixtures("workspace", "programs")


@pytest.fixture
def app(tmp_path, monkeypatch) -> Path:
    """An application's sources that a test may change."""
    for name in ("zephyr_app", "zephyr", "firmware"):
        (tmp_path / "clone" / name).mkdir(parents=True)
        (tmp_path / "clone" / name / "file.txt").write_text(name)
    monkeypatch.setattr(zephyr.build, "zephyr_app_dir", lambda: tmp_path / "clone" / "zephyr_app")
    monkeypatch.setattr(zephyr.build, "firmware_dir", lambda: tmp_path / "clone" / "firmware")
    return tmp_path / "clone"


@pytest.fixture
def upstream(tmp_path, monkeypatch) -> dict[str, Path]:
    """Folders that only look like TFLite Micro, what it needs, and CMSIS-NN, at the variables that name them."""
    trees = {}
    for wanted in (_TFLM, _FLATBUFFERS, _GEMMLOWP, _RUY, _CMSIS_NN, _CMSIS):
        trees[wanted.name] = folder = tmp_path / wanted.name
        for mark in wanted.marks:
            (folder / mark).parent.mkdir(parents=True, exist_ok=True)
            (folder / mark).write_text("TFLMRegistration va_list")
        monkeypatch.setenv(wanted.variable, str(folder))
    (trees["cmsis-nn"] / "Include" / "arm_nnsupportfunctions.h").write_text("arm_vector_sum_s8")
    return trees


@pytest.fixture
def an385():
    return load_board("mps2_an385")


# What is asked for ---------------------------------------------------------------------------------------------------
def test_cmake_is_given_board_build_id_and_modules_and_ninja_the_folder(an385, programs, workspace):
    image = build_zephyr(an385)
    (asked,) = programs.calls("cmake")
    assert "-GNinja" in asked
    for word in (
        "-DBOARD=mps2_an385",
        "-DTINYHIL_BOARD=mps2_an385",
        f"-DTINYHIL_BUILD_ID={image.build_id}",
        "-DTINYHIL_MODEL=",
        "-DTINYHIL_OPS=all",
        f"-DZEPHYR_MODULES={workspace}/modules/hal/cmsis",
    ):
        assert word in asked
    assert programs.calls("ninja")[0][:2] == ["-C", asked[asked.index("-B") + 1]]
    assert (image.firmware, image.kind, image.firmware_version) == ("zephyr", "slot", "Zephyr 3.4.0, cmsis")
    assert image.build_id.encode() in image.elf.read_bytes()


def test_engine_kernels_arena_and_model_are_options(an385, programs, upstream, tmp_path):
    model = tmp_path / "m.tflite"
    model.write_bytes(b"model")
    image = build_zephyr(
        an385, engine="tflm", kernels="cmsis_nn", model=model, ops=["SOFTMAX", "CONV_2D"], arena_bytes=4096
    )
    (asked,) = programs.calls("cmake")
    for word in (
        "-DCONFIG_TINYHIL_ENGINE_TFLM=y",
        "-DCONFIG_TINYHIL_KERNELS_CMSIS_NN=y",
        "-DCONFIG_TINYHIL_ARENA_BYTES=4096",
        f"-DTINYHIL_MODEL={model}",
        "-DTINYHIL_OPS=CONV_2D;SOFTMAX",
    ):
        assert word in asked
    assert (image.kind, image.slot) == ("bundled", None)
    assert {"tflite-micro", "cmsis-nn"} <= {tree.name for tree in image.upstream}


def test_a_change_in_an_upstream_tree_is_another_image(an385, upstream):
    first = build_zephyr(an385, kernels="cmsis_nn")
    (upstream["cmsis-nn"] / "Source" / "new.c").write_text("")
    library._fingerprint.cache_clear()
    assert build_zephyr(an385, kernels="cmsis_nn").build_id != first.build_id


@pytest.mark.parametrize(("version", "name"), [("3.6.0", "nrf52840dk_nrf52840"), ("3.7.0", "nrf52840dk/nrf52840")])
def test_the_board_has_the_name_that_it_has_in_that_zephyr(programs, tmp_path, monkeypatch, version, name):
    topdir = make_workspace(tmp_path / "other", version, ("cmsis", "hal_nordic"))
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir))
    build_zephyr(load_board("nrf52840dk"))
    assert f"-DBOARD={name}" in programs.calls("cmake")[0]


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("3.4.0", "native_posix_64"),
        ("3.5.0", "native_sim_64"),
        ("3.6.9", "native_sim_64"),
        ("3.7.0", "native_sim/native/64"),
    ],
)
def test_the_host_has_the_name_that_it_has_in_that_zephyr(tmp_path, version, name):
    numbers = tuple(int(part) for part in version.split("."))
    assert load_board("native").zephyr.name_in(numbers) == name


def test_the_slot_is_where_devicetree_labels_a_partition(an385):
    slot = build_zephyr(an385).slot
    assert slot is not None
    assert (slot.base, slot.bytes) == (0x0804_0000, 768 << 10)


def test_a_memory_that_devicetree_chooses_is_the_slot_before_a_label(an385, programs):
    header = programs.log.parent / "include" / "generated" / "devicetree_generated.h"
    header.write_text(
        header.read_text() + "#define DT_CHOSEN_tinyhil_model_slot        DT_N_S_sram\n"
        "#define DT_N_S_sram_REG_IDX_0_VAL_ADDRESS 822083584 /* 0x31000000 */\n"
        "#define DT_N_S_sram_REG_IDX_0_VAL_SIZE 4194304 /* 0x400000 */\n"
    )
    slot = build_zephyr(an385).slot
    assert slot is not None
    assert (slot.base, slot.bytes) == (0x3100_0000, 4 << 20)


def test_an_image_for_a_slot_without_one_is_refused(an385, programs):
    (programs.log.parent / "include" / "generated" / "devicetree_generated.h").write_text("")
    with pytest.raises(BuildFailed, match="no model slot") as caught:
        build_zephyr(an385)
    assert "tinyhil_slot" in caught.value.next_step


def test_progress_says_what_is_configured_and_how_far_the_build_is(an385):
    lines: list[str] = []
    build_zephyr(an385, progress=lines.append)
    assert lines == [
        "mps2_an385: configuring for Zephyr 3.4.0",
        "mps2_an385: compiled 99/100: main.c",
        "mps2_an385: linked 100/100: zephyr.elf",
    ]


def test_an_untried_zephyr_is_said_to_be_untried(an385, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(make_workspace(tmp_path / "other", "3.7.0")))
    lines: list[str] = []
    build_zephyr(an385, progress=lines.append)
    assert lines[0] == "mps2_an385: configuring for Zephyr 3.7.0 (untried)"


def test_the_one_builder_builds_it_too(an385):
    assert build_image(an385, firmware="zephyr") == build_zephyr(an385)


def test_the_command_builds_it_with_an_arena_of_a_given_size(programs):
    from click.testing import CliRunner

    from tinyhil.cli import cli

    done = CliRunner().invoke(cli, ["build", "--board", "mps2_an385", "--zephyr", "--arena", "4096"])
    assert done.exit_code == 0, done.output
    assert "Zephyr 3.4.0" in done.output
    assert "-DCONFIG_TINYHIL_ARENA_BYTES=4096" in programs.calls("cmake")[0]


@pytest.mark.parametrize("words", [["--arena", "4096"], ["--zephyr", "--firmware", "bare_metal"]])
def test_the_command_refuses_what_contradicts_itself(words):
    from click.testing import CliRunner

    from tinyhil.cli import cli

    assert CliRunner().invoke(cli, ["build", "--board", "mps2_an385", *words]).exit_code == 2


# Nothing twice -------------------------------------------------------------------------------------------------------
def test_what_is_unchanged_is_not_built_again(an385, programs):
    first = build_zephyr(an385)
    lines: list[str] = []
    assert build_zephyr(an385, progress=lines.append) == first
    assert len(programs.calls("cmake")) == len(programs.calls("ninja")) == 1
    assert lines == []


@pytest.mark.parametrize("name", ["zephyr_app/file.txt", "firmware/file.txt", "zephyr/file.txt"])
def test_a_changed_source_is_another_image_from_the_same_folder(app, an385, programs, name):
    first = build_zephyr(an385)
    (app / name).write_text("changed")
    second = build_zephyr(an385)
    assert first.build_id != second.build_id
    before, after = programs.calls("cmake")
    assert before[before.index("-B") + 1] == after[after.index("-B") + 1]
    (app / name).write_text(name.partition("/")[0])
    assert build_zephyr(an385) == first
    assert len(programs.calls("ninja")) == 2


def test_other_options_have_another_folder(an385, programs, workspace):
    build_zephyr(an385)
    build_zephyr(an385, arena_bytes=1024)
    folders = {call[call.index("-B") + 1] for call in programs.calls("cmake")}
    assert len(folders) == 2


def test_another_zephyr_is_another_image(an385, tmp_path, monkeypatch):
    first = build_zephyr(an385)
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(make_workspace(tmp_path / "other", "3.3.0")))
    assert build_zephyr(an385).build_id != first.build_id


def test_a_model_of_other_content_is_another_image(an385, tmp_path):
    model = tmp_path / "m.tflite"
    model.write_bytes(b"one")
    first = build_zephyr(an385, model=model)
    model.write_bytes(b"two")
    assert build_zephyr(an385, model=model).build_id != first.build_id


def test_a_damaged_image_is_built_again(an385, programs):
    first = build_zephyr(an385)
    content = first.elf.read_bytes()
    first.elf.write_bytes(content[:-5])
    assert build_zephyr(an385).elf.read_bytes() == content
    assert len(programs.calls("ninja")) == 2


def test_two_builds_of_one_board_do_the_work_once(an385, programs):
    programs.make(
        "cmake",
        'while [ $# -gt 0 ]; do case "$1" in -B) out=$2;; -DTINYHIL_BUILD_ID=*) id=${1#*=};; esac; shift; done\n'
        'mkdir -p "$out/zephyr"; echo "$id" >"$out/id"; sleep 0.5',
    )
    lines: list[str] = []
    threads = [threading.Thread(target=build_zephyr, args=(an385,), kwargs={"progress": lines.append}) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(programs.calls("cmake")) == 1
    assert "mps2_an385: waiting for another build of the same board" in lines


# Refusals ------------------------------------------------------------------------------------------------------------
def test_a_board_that_is_not_in_zephyr(programs):
    with pytest.raises(UnknownBoard, match="no firmware 'zephyr'"):
        build_zephyr(load_board("mps2_an505"))
    assert not programs.calls("cmake")


def test_a_missing_module_is_named_before_anything_is_called(programs):
    with pytest.raises(MissingTool, match="'hal_nordic'") as caught:
        build_zephyr(load_board("nrf52840dk"))
    assert "west update hal_nordic" in caught.value.next_step
    assert not programs.calls("cmake")


@pytest.mark.parametrize(
    ("option", "value", "variable"), [("engine", "tflm", "TFLM_DIR"), ("kernels", "cmsis_nn", "CMSIS_NN_DIR")]
)
def test_a_missing_upstream_is_named_with_what_to_set(an385, programs, monkeypatch, option, value, variable):
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(MissingTool) as caught:
        build_zephyr(an385, **{option: value})
    assert variable in caught.value.next_step
    assert not programs.calls("cmake")


def test_the_build_takes_upstream_from_where_it_was_found(an385, programs, upstream, tmp_path, monkeypatch):
    """The build folder lies elsewhere: in no workspace, or in another than the current folder's."""
    monkeypatch.delenv("TFLM_DIR")
    here = tmp_path / "around"
    (here / ".west").mkdir(parents=True)
    (here / ".west" / "config").touch()
    (here / "modules" / "lib").mkdir(parents=True)
    upstream["tflite-micro"].rename(here / "modules" / "lib" / "tflite-micro")
    monkeypatch.chdir(here)
    programs.make("ninja", f'echo "$TFLM_DIR" >"{tmp_path}/found"; exit 1')
    with pytest.raises(BuildFailed):
        build_zephyr(an385, engine="tflm")
    assert (tmp_path / "found").read_text() == f"{here}/modules/lib/tflite-micro\n"


def test_what_kconfig_left_out_without_a_word_is_no_image_of_that_name(an385, programs, upstream):
    programs.make(
        "cmake",
        'while [ "$1" != -B ]; do shift; done; mkdir -p "$2/zephyr"; touch "$2/CMakeCache.txt"\n'
        'echo CONFIG_TINYHIL_KERNELS_REFERENCE=y >"$2/zephyr/.config"',
    )
    with pytest.raises(BuildFailed, match="builtin/cmsis_nn: Kconfig did not take CONFIG_TINYHIL_KERNELS_CMSIS_NN=y"):
        build_zephyr(an385, kernels="cmsis_nn")
    assert not programs.calls("ninja")
    (asked,) = programs.calls("cmake")
    assert not (Path(asked[asked.index("-B") + 1]) / "zephyr" / ".config").exists()


@pytest.mark.parametrize(("option", "value"), [("engine", "tflmm"), ("kernels", "referense")])
def test_an_engine_or_kernel_set_that_is_not_there(an385, option, value):
    with pytest.raises(BuildFailed, match=value):
        build_zephyr(an385, **{option: value})


@pytest.mark.parametrize(
    ("name", "package"),
    [("cmake", "cmake"), ("ninja", "ninja-build"), ("dtc", "device-tree-compiler"), ("arm-none-eabi-gcc", "gcc-arm")],
)
def test_a_missing_program_is_named_with_its_package(an385, programs, monkeypatch, name, package):
    monkeypatch.setenv("PATH", str(programs.folder))
    shutil.copy("/bin/true", programs.folder / "git")  # no git of the system's on this PATH
    (programs.folder / name).unlink()
    with pytest.raises(MissingTool, match=f"{name} is not installed") as caught:
        build_zephyr(an385)
    assert f"apt-get install -y {package}" in caught.value.next_step


def test_a_toolchain_that_the_environment_names_and_is_not_there(an385, monkeypatch, tmp_path):
    monkeypatch.setenv("ZEPHYR_TOOLCHAIN_VARIANT", "zephyr")
    with pytest.raises(MissingTool, match="no Zephyr SDK"):
        build_zephyr(an385)
    monkeypatch.setenv("ZEPHYR_TOOLCHAIN_VARIANT", "gnuarmemb")
    monkeypatch.setenv("GNUARMEMB_TOOLCHAIN_PATH", str(tmp_path / "none"))
    with pytest.raises(MissingTool, match=f"GNUARMEMB_TOOLCHAIN_PATH is {tmp_path}.none"):
        build_zephyr(an385)


def test_a_zephyr_sdk_goes_before_the_compiler_on_path(an385, tmp_path):
    (tmp_path / "zephyr-sdk-0.16.1").mkdir()
    (tmp_path / "zephyr-sdk-0.16.1" / "sdk_version").write_text("0.16.1")
    assert build_zephyr(an385).compiler == "Zephyr SDK 0.16.1"


def test_a_model_that_cannot_be_read(an385, tmp_path):
    with pytest.raises(BadInput, match=r"gone\.tflite"):
        build_zephyr(an385, model=tmp_path / "gone.tflite")


def test_cmakes_own_words_are_told(an385, programs):
    programs.make(
        "cmake", 'printf "CMake Error at a.cmake:3 (message):\\n  tinyhil: the slot is\\n  too small\\n\\n"; exit 1'
    )
    with pytest.raises(BuildFailed, match="cannot be configured: tinyhil: the slot is too small") as caught:
        build_zephyr(an385)
    assert "a.cmake:3" in caught.value.details
    assert not programs.calls("ninja")


def test_the_compilers_own_words_are_told(an385, programs):
    programs.make(
        "ninja",
        'echo "1/9 Building C object fine.obj"; echo "FAILED: app/main.c.obj"\n'
        'echo "main.c:3:1: error: expected x"; exit 1',
    )
    with pytest.raises(BuildFailed, match=r"main\.c:3:1: error: expected x") as caught:
        build_zephyr(an385)
    assert caught.value.details.startswith("FAILED: app/main.c.obj")


def overflowing(programs, region: str) -> None:
    """A linker that leaves its map behind and says by how much the region overflowed."""
    folder = programs.log.parent
    (folder / "a.map").write_text(
        "\nName             Origin             Length             Attributes\n"
        "FLASH            0x00000000         0x00020000         xr\n"
        "RAM              0x20000000         0x00010000         xw\n"
    )
    (folder / "said").write_text(f"ld: region `{region}' overflowed by 1234 bytes\n")
    programs.make("ninja", f'cp "{folder}/a.map" "$2/zephyr/zephyr_pre0.map"; cat "{folder}/said"; exit 1')


def test_an_image_that_does_not_fit_flash_is_refused_with_the_bytes_that_are_missing(an385, programs):
    overflowing(programs, "FLASH")
    with pytest.raises(FlashOverflow, match="1,234 are missing") as caught:
        build_zephyr(an385)
    assert (caught.value.available_bytes, caught.value.missing_bytes) == (128 << 10, 1234)


def test_an_arena_that_does_not_fit_ram_is_refused_with_the_bytes_that_are_missing(an385, programs):
    overflowing(programs, "RAM")
    with pytest.raises(ArenaOverflow, match="1,234 bytes are missing") as caught:
        build_zephyr(an385, arena_bytes=60_000)
    assert (caught.value.needed_bytes, caught.value.missing_bytes) == (60_000, 1234)
    with pytest.raises(FlashOverflow, match="RAM"):
        build_zephyr(an385)


@pytest.mark.parametrize("program", ["cmake", "ninja"])
def test_an_arena_that_the_model_cannot_run_in_is_refused_with_the_bytes_that_are_missing(an385, programs, program):
    said = (
        "tinyhil: kws needs an arena of at least 16,348 bytes, and 10,240 are there on mps2_an385 beside the\n"
        "  application: at least 6,108 bytes are missing.  Choose a board."
    )
    (programs.log.parent / "said").write_text(said)
    programs.make(program, f'cat "{programs.log.parent}/said"; exit 1')
    with pytest.raises(ArenaOverflow, match=r"kws needs an arena .* 6,108 bytes are missing") as caught:
        build_zephyr(an385)
    assert (caught.value.needed_bytes, caught.value.missing_bytes) == (16_348, 6108)


def test_a_full_disk_is_no_failed_build(an385, programs):
    programs.make("ninja", 'echo "fatal error: No space left on device"; exit 1')
    with pytest.raises(OutputUnwritable):
        build_zephyr(an385)


def test_a_cache_that_cannot_be_written_is_said(an385, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYHIL_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputUnwritable, match="cannot be written"):
        build_zephyr(an385)


def test_an_image_without_its_build_id_is_refused(an385, programs):
    programs.make("ninja", f'cp "{programs.log.parent}/nothing.elf" "$2/zephyr/zephyr.elf"')
    with pytest.raises(BuildFailed, match="does not hold its build id"):
        build_zephyr(an385)


def test_a_failed_build_is_no_image(an385, programs):
    good = (programs.folder / "ninja").read_text()
    programs.make("ninja", "exit 1")
    with pytest.raises(BuildFailed):
        build_zephyr(an385)
    (programs.folder / "ninja").write_text(good)
    assert build_zephyr(an385).elf.is_file()


def test_an_interruption_ends_what_was_started(an385, programs):
    programs.make("ninja", f'echo $$ >"{programs.log.parent}/pid"; echo "1/9 Building C object a.c.obj"; exec sleep 60')

    def interrupt(line: str) -> None:
        if "compiled" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_zephyr(an385, progress=interrupt)
    pid = int((programs.log.parent / "pid").read_text())
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
