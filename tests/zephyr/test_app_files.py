# SPDX-License-Identifier: Apache-2.0
"""The files of zephyr_app that can be held against each other without Zephyr."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinyhil import upstream
from tinyhil.assets import zephyr_app_dir
from tinyhil.board import board_names, load_board
from tinyhil.errors import ArenaOverflow

APP = zephyr_app_dir()
ROOT = APP.parent
ZEPHYR_BOARDS = [name for name in board_names() if load_board(name).zephyr is not None]
RENODE_BOARDS = sorted(path.parent.name for path in (ROOT / "platforms").glob("*/*_zephyr.resc"))
SLOT_BOARDS = sorted(path.parent.name for path in APP.glob("boards/*/slot.overlay"))

# What a board's own devicetree has of the labels that the overlays use.
BASE_DTS = """/dts-v1/;
/ {
	#address-cells = <1>;
	#size-cells = <1>;
	chosen { };
	flash0: flash@0 { reg = <FLASH>; partitions { }; };
	ssram1: memory@10000000 { reg = <0x10000000 0x400000>; };
	isram: sram@31000000 { reg = <0x31000000 0x400000>; };
	uart0: uart@1 { reg = <1 1>; };
	uart1: uart@2 { reg = <2 1>; };
};
"""


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text(APP / "west.yml"))["manifest"]
    return loaded


def test_the_module_names_folders_that_are_there():
    build = yaml.safe_load(text(ROOT / "zephyr" / "module.yml"))["build"]
    assert (ROOT / build["cmake"] / "CMakeLists.txt").is_file()
    assert (ROOT / build["kconfig"]).is_file()


@pytest.mark.needs("west")
def test_west_takes_the_manifest():
    from west.manifest import ImportFlag, Manifest

    read = Manifest.from_data(text(APP / "west.yml"), import_flags=ImportFlag.IGNORE)
    assert "zephyr" in [project.name for project in read.projects]


def test_every_revision_is_pinned():
    for project in manifest()["projects"]:
        assert re.fullmatch("[0-9a-f]{40}", project["revision"]), project["name"]


def test_the_manifest_allows_every_module_that_a_board_needs():
    (zephyr,) = [project for project in manifest()["projects"] if project["name"] == "zephyr"]
    needed = {module for name in ZEPHYR_BOARDS for module in load_board(name).zephyr.modules}
    assert needed <= set(zephyr["import"]["name-allowlist"])


@pytest.mark.parametrize("wanted", [upstream._TFLM, upstream._FLATBUFFERS, upstream._GEMMLOWP, upstream._RUY])
def test_the_manifest_puts_upstream_where_it_is_looked_for(wanted):
    paths = {project["name"]: project.get("path") for project in manifest()["projects"]}
    assert paths[wanted.name] in wanted.in_workspace


def test_wests_commands_are_there():
    commands = yaml.safe_load(text(ROOT / manifest()["self"]["west-commands"]))
    for entry in commands["west-commands"]:
        assert (ROOT / entry["file"]).is_file()


def test_twisters_file_names_models_that_are_there():
    for test in yaml.safe_load(text(APP / "sample.yaml"))["tests"].values():
        for model in re.findall(r"TINYHIL_MODEL=(\S+)", str(test.get("extra_args", ""))):
            assert (APP / model).is_file()


def test_what_only_some_twisters_know_is_in_a_file_of_its_own():
    for test in yaml.safe_load(text(APP / "sample.yaml"))["tests"].values():
        assert test["harness"] == "pytest"
        assert "harness_config" not in test
    assert not list(APP.rglob("testcase.yaml"))
    folder = ROOT / "robot" / "zephyr"
    (robot,) = yaml.safe_load(text(folder / "testcase.yaml"))["tests"].values()
    assert (folder / robot["harness_config"]["robot_test_path"]).is_file()


@pytest.mark.parametrize("name", [name for name in ZEPHYR_BOARDS if name != "native"])  # whose slot is RAM of its own
def test_every_board_in_zephyr_has_its_slot(name):
    assert name in SLOT_BOARDS


@pytest.mark.needs("dtc")
@pytest.mark.parametrize("name", SLOT_BOARDS)
def test_a_slot_lies_where_board_yaml_has_it(name, tmp_path):
    board = load_board(name)
    flash = board.memory["flash"]
    base = BASE_DTS.replace("FLASH", f"{flash.base:#x} {flash.bytes:#x}")
    source = tmp_path / "board.dts"
    source.write_text(base + text(APP / "boards" / name / "slot.overlay"), encoding="utf-8")
    done = subprocess.run(
        ["dtc", "-q", "-@", "-I", "dts", "-O", "dts", str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (label,) = re.findall(r"tinyhil,model-slot = &(\w+);", text(APP / "boards" / name / "slot.overlay"))
    node = re.search(rf"\b{label}: [^{{]*{{[^}}]*?reg = <(\w+) (\w+)>", done.stdout)
    assert node is not None, done.stdout
    start, size = int(node[1], 16), int(node[2], 16)
    if "partition@" in node[0]:
        start += flash.base
    if name == "mps3_an547":
        start -= 0x10000000  # the Secure address of the same memory
    assert (start, size) == (board.slot.base, board.slot.bytes)


@pytest.fixture
def kconfig(tmp_path, monkeypatch):
    """The module's options, with as much around them as Zephyr has."""
    kconfiglib = pytest.importorskip("kconfiglib", reason="needs kconfiglib")
    around = [
        ("CPP", True),
        ("SERIAL", True),
        ("SERIAL_SUPPORT_INTERRUPT", True),
        ("CPU_CORTEX_M", True),
        ("CPU_CORTEX_M_HAS_SYSTICK", True),
        ("CPU_CORTEX_M_HAS_VTOR", True),
        ("NATIVE_APPLICATION", False),
        ("USB_CDC_ACM", False),
        ("REQUIRES_FULL_LIBCPP", False),
        ("REBOOT", False),
        ("THREAD_STACK_INFO", False),
        ("INIT_STACKS", False),
        ("UART_INTERRUPT_DRIVEN", False),
    ]
    lines = [f'config {name}\n\tbool "{name}"\n\tdefault {"y" if on else "n"}\n' for name, on in around]
    root = tmp_path / "Kconfig"
    root.write_text("".join(lines) + f'source "{APP / "module" / "Kconfig"}"\n', encoding="utf-8")
    monkeypatch.setenv("ZEPHYR_TOOLCHAIN_VARIANT", "gnuarmemb")

    def load(settings: str = "CONFIG_TINYHIL=y\n") -> Any:
        found = kconfiglib.Kconfig(str(root), warn_to_stderr=False)
        file = tmp_path / "settings.conf"
        file.write_text(settings, encoding="utf-8")
        found.load_config(str(file))
        assert not [line for line in found.warnings if "undefined symbol" in line], found.warnings
        return found

    return load


def test_the_module_is_off_where_nobody_asks_for_it(kconfig):
    symbols = kconfig("").syms
    assert symbols["TINYHIL"].str_value == "n"
    assert symbols["PICOLIBC_SUPPORTED"].str_value == "n"


def test_engine_and_kernels_are_ours_by_default_without_the_link(kconfig):
    symbols = kconfig().syms
    assert symbols["TINYHIL_ENGINE_BUILTIN"].str_value == "y"
    assert symbols["TINYHIL_KERNELS_REFERENCE"].str_value == "y"
    assert symbols["TINYHIL_LINK"].str_value == "n"
    assert symbols["REQUIRES_FULL_LIBCPP"].str_value == "n"


def test_tflm_brings_the_library_that_it_needs(kconfig):
    symbols = kconfig("CONFIG_TINYHIL=y\nCONFIG_TINYHIL_ENGINE_TFLM=y\nCONFIG_TINYHIL_KERNELS_CMSIS_NN=y\n").syms
    assert symbols["TINYHIL_ENGINE_BUILTIN"].str_value == "n"
    assert symbols["TINYHIL_KERNELS_CMSIS_NN"].str_value == "y"
    assert symbols["REQUIRES_FULL_LIBCPP"].str_value == "y"


def test_test_mode_brings_link_faults_counter_and_an_interrupt(kconfig):
    symbols = kconfig("CONFIG_TINYHIL=y\nCONFIG_TINYHIL_TEST_MODE=y\n").syms
    for name in ("LINK", "FAULT_REPORT", "COUNTER_SYSTICK", "UART_INTERRUPT"):
        assert symbols[f"TINYHIL_{name}"].str_value == "y", name
    assert symbols["UART_INTERRUPT_DRIVEN"].str_value == "y"
    assert int(symbols["TINYHIL_ARENA_BYTES"].str_value) > 0


def test_a_polled_uart_needs_no_interrupt(kconfig):
    symbols = kconfig("CONFIG_TINYHIL=y\nCONFIG_TINYHIL_TEST_MODE=y\nCONFIG_TINYHIL_UART_POLL=y\n").syms
    assert symbols["UART_INTERRUPT_DRIVEN"].str_value == "n"


def test_every_option_is_explained(kconfig):
    readme = text(APP / "README.md")
    for name in sorted(name for name in kconfig().syms if name.startswith("TINYHIL")):
        assert f"`{name}`" in readme or name in ("TINYHIL_LINK", "TINYHIL_UART_INTERRUPT"), name


def run_cmake(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "script.cmake"
    files = "".join(f"include({APP}/cmake/{name}.cmake)\n" for name in ("refusals", "board", "renode"))
    file.write_text(f"cmake_minimum_required(VERSION 3.20)\n{files}{script}", encoding="utf-8")
    return subprocess.run(["cmake", "-P", str(file)], capture_output=True, text=True, check=False)


@pytest.mark.needs("cmake")
@pytest.mark.parametrize("name", ZEPHYR_BOARDS)
def test_cmake_finds_the_board_by_each_of_zephyrs_names_for_it(name, tmp_path):
    for _, theirs in load_board(name).zephyr.names:
        done = run_cmake(tmp_path, f'tinyhil_find_board("{theirs}" found)\nmessage("<${{found}}>")\n')
        assert f"<{name}>" in done.stderr, (theirs, done.stderr)


@pytest.mark.needs("cmake")
def test_cmake_finds_no_board_by_a_part_of_a_name(tmp_path):
    done = run_cmake(tmp_path, 'tinyhil_find_board("nrf52840" found)\nmessage("<${found}>")\n')
    assert "<>" in done.stderr


@pytest.mark.needs("cmake")
@pytest.mark.parametrize(("version", "refused"), [("3.2.0", True), ("3.3.0", False), ("4.2.1", False)])
def test_an_old_zephyr_is_refused_by_its_number(tmp_path, monkeypatch, version, refused):
    major, minor, patch = version.split(".")
    lines = f"VERSION_MAJOR = {major}\nVERSION_MINOR = {minor}\nPATCHLEVEL = {patch}\nVERSION_TWEAK = 0\n"
    (tmp_path / "VERSION").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("ZEPHYR_BASE", str(tmp_path))
    done = run_cmake(tmp_path, "tinyhil_check_zephyr_version()\n")
    assert (done.returncode != 0) == refused
    assert not refused or f"Zephyr {version}" in " ".join(done.stderr.split())


@pytest.mark.needs("cmake")
@pytest.mark.parametrize(("version", "warned"), [("3.3.0", False), ("3.4.2", False), ("3.5.0", True), ("4.2.1", True)])
def test_a_zephyr_that_was_not_tried_is_warned_of(tmp_path, monkeypatch, version, warned):
    major, minor, patch = version.split(".")
    lines = f"VERSION_MAJOR = {major}\nVERSION_MINOR = {minor}\nPATCHLEVEL = {patch}\nVERSION_TWEAK = 0\n"
    (tmp_path / "VERSION").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("ZEPHYR_BASE", str(tmp_path))
    done = run_cmake(tmp_path, "tinyhil_check_zephyr_version()\n")
    assert done.returncode == 0
    assert (f"Zephyr {version} is newer than 3.4" in " ".join(done.stderr.split())) == warned


@pytest.mark.needs("cmake")
def test_missing_modules_are_named_and_counted(tmp_path):
    settings = "set(BOARD nrf52840dk)\nset(CONFIG_CPU_CORTEX_M y)\nset(CONFIG_SOC_FAMILY_NRF y)\n"
    done = run_cmake(tmp_path, settings + 'set(ZEPHYR_MODULE_NAMES "cmsis")\ntinyhil_check_modules()\n')
    assert "needs 1 Zephyr module(s) that the west workspace lacks: hal_nordic." in " ".join(done.stderr.split())


@pytest.mark.needs("cmake")
@pytest.mark.parametrize("name", RENODE_BOARDS)
def test_wests_run_in_renode_shows_what_the_board_sends_and_has_a_terminal_to_type_to(name, tmp_path):
    done = run_cmake(
        tmp_path,
        f"set(CMAKE_BINARY_DIR {tmp_path})\nset(tinyhil_app {APP})\nset(TINYHIL_BOARD {name})\n"
        'tinyhil_choose_renode()\nmessage("${SUPPORTED_EMU_PLATFORMS} ${RENODE_UART}")\n',
    )
    assert done.returncode == 0, done.stderr
    uart = load_board(name).running("zephyr").targets["renode"].uart
    assert done.stderr.split() == ["renode", uart]
    lines = text(tmp_path / "tinyhil.resc").splitlines()
    assert lines[0] == f"$bin=@{tmp_path}/zephyr/zephyr.elf"
    assert f"showAnalyzer {uart}" in lines
    assert f'emulation CreateUartPtyTerminal "terminal" @{tmp_path}/uart true' in lines
    assert f"connector Connect {uart} terminal" in lines


@pytest.mark.parametrize(
    ("ram", "said"),
    [
        (("--arena=1024", "--ram-kib=256"), "1,024 are there on any (CONFIG_TINYHIL_ARENA_BYTES)"),
        (("--arena=0", "--ram-kib=1"), "1,024 are there on any, in all of its RAM"),
    ],
)
def test_a_model_that_no_arena_of_the_board_can_run_is_refused_before_anything_is_compiled(tmp_path, ram, said):
    words = ["--engine=builtin", "--kernels=reference", "--board=any", "--compiler=cc", f"--out={tmp_path}", "--link"]
    model = ROOT / "firmware" / "models" / "digits" / "digits.tflite"
    command = [sys.executable, str(APP / "cmake" / "sources.py"), *words, *ram, f"--model={model}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ArenaOverflow.exit_status
    assert said in done.stderr and "bytes are missing. Choose" in done.stderr
