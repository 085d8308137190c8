# SPDX-License-Identifier: Apache-2.0
"""The Renode files of every board, held against board.yaml: what can be known of them without Renode."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest
from renode_files import NotUnderstood, Part, read_platform, read_script

import tiny_firmware
from tinyhil.board import Board, TargetSpec, board_names, load_board
from tinyhil.target.renode import own_platform

BOARDS = [name for name in board_names() if "renode" in load_board(name).targets]
CORES = {
    "Cortex-M0": "cortex-m0",
    "Cortex-M3": "cortex-m3",
    "Cortex-M4F": "cortex-m4",
    "Cortex-M7": "cortex-m7",
    "Cortex-M33": "cortex-m33",
    "Cortex-M55": "cortex-m55",
}
# Models of Renode 1.15.3 and later, and what they can be told.
MODELS: dict[str, set[str]] = {
    "CPU.CortexM": {"cpuType", "nvic", "numberOfMPURegions", "PerformanceInMips"},
    "IRQControllers.NVIC": {"systickFrequency"},
    "Memory.MappedMemory": {"size"},
    "Memory.ArrayMemory": {"size"},
    "Miscellaneous.DWT": {"frequency"},
    "Tag": set(),
    "GPIOPort.NRF52840_GPIO": set(),
    "UART.NRF52840_UART": {"easyDMA"},
    "UART.STM32_UART": {"frequency"},
    "UART.STM32F7_USART": {"frequency", "lowPowerMode"},
    "UART.CMSDK_APB_UART": {"frequency"},
}
SIZES = {"GPIOPort.NRF52840_GPIO": 0x300}
OWN_SIZE = 0x400  # at least, of a model that says its size itself


def described(name: str) -> tuple[Board, TargetSpec, dict[str, Part]]:
    board = load_board(name)
    spec = board.targets["renode"]
    assert spec.platform is not None
    return board, spec, read_platform(spec.platform)


def test_every_board_but_the_host_and_those_that_are_qemus_runs_in_renode() -> None:
    assert set(board_names()) - set(BOARDS) == {
        "microbit",
        "mps2_an521",
        "native",
        "qemu_cortex_m3",
        "virtual_cortex_m0",
    }


@pytest.mark.parametrize("path", sorted(tiny_firmware.REAL_PLATFORMS.glob("*/*.re*")), ids=lambda path: path.name)
def test_no_file_reaches_for_anything_outside_its_folder(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?:|ftp:|@(?! sysbus|\d)|ApplySVD|\.\./", text)
    assert "using " not in text.replace("using sysbus", "")


@pytest.mark.parametrize("name", BOARDS)
def test_the_script_loads_the_platform_and_the_image_and_starts_nothing(name: str) -> None:
    board, spec, parts = described(name)
    assert spec.script is not None
    assert spec.platform is not None
    does = read_script(spec.script)
    assert does["default"] == does["machine"] == ["name"]
    assert does["platform"] == [spec.platform.name]
    assert own_platform(spec) == spec.platform
    assert does["loads"] == ["platform"]
    assert spec.platform.parent == spec.script.parent == board.folder
    assert does["macro"] == does["run"] == ["reset"]
    assert does["elf"] == ["bin"]
    assert "cpu" in parts
    assert [int(vectors, 16) for vectors in does["vectors"]] == [board.memory["flash"].base]


@pytest.mark.parametrize("name", BOARDS)
def test_every_model_and_what_it_is_told_is_known(name: str) -> None:
    _, _, parts = described(name)
    for part in parts.values():
        assert part.type in MODELS, part
        assert part.attributes.keys() <= MODELS[part.type], part


@pytest.mark.parametrize("name", BOARDS)
def test_whatever_a_part_names_is_there(name: str) -> None:
    _, spec, parts = described(name)
    assert parts["cpu"].attributes["nvic"] == "nvic"
    assert parts["nvic"].connections == [("", "cpu", 0)]
    taken = [
        (target, number) for part in parts.values() if part.name != "nvic" for _, target, number in part.connections
    ]
    assert {target for target, _ in taken} <= {"nvic"}
    assert len(set(taken)) == len(taken)
    assert spec.uart.removeprefix("sysbus.") in parts


@pytest.mark.parametrize("name", BOARDS)
def test_the_memories_are_the_silicons(name: str) -> None:
    board, _, parts = described(name)
    memories = {part.name: part for part in parts.values() if part.type == "Memory.MappedMemory"}
    assert {name: (part.base, part.size) for name, part in memories.items()} == {
        name: (region.base, region.bytes) for name, region in board.memory.items()
    }


@pytest.mark.parametrize("name", BOARDS)
def test_no_two_parts_overlap(name: str) -> None:
    _, _, parts = described(name)
    placed = [part for part in parts.values() if part.base is not None]
    for part in placed:
        part.size = part.size or SIZES.get(part.type, OWN_SIZE)
    for one, other in combinations(placed, 2):
        assert one.base is not None
        assert other.base is not None
        assert one.end <= other.base or other.end <= one.base, (one.name, other.name)


@pytest.mark.parametrize("name", BOARDS)
def test_the_core_is_the_boards_and_a_tick_is_an_instruction(name: str) -> None:
    board, spec, parts = described(name)
    core = CORES[board.core]
    assert parts["cpu"].attributes["cpuType"] == core
    assert board.build.cpu[0].split("+")[0] == f"-mcpu={core}"
    assert spec.mips is not None
    assert 1000 % spec.mips == 0  # or an instruction is no whole number of Renode's nanoseconds
    assert spec.instructions_per_tick == 1
    assert parts["cpu"].attributes["PerformanceInMips"] == spec.mips
    assert parts["nvic"].attributes["systickFrequency"] == spec.mips * 1_000_000
    has_dwt = core != "cortex-m0"
    assert ("dwt" in parts) == has_dwt
    if has_dwt:
        assert parts["dwt"].attributes["frequency"] == spec.mips * 1_000_000


@pytest.mark.parametrize("name", BOARDS)
def test_the_uart_is_the_one_that_the_firmware_drives(name: str) -> None:
    board, spec, parts = described(name)
    uart, defines = parts[spec.uart.removeprefix("sysbus.")], board.build.defines
    assert uart.type.startswith("UART.")
    assert uart.base == int(defines["TINYHIL_UART_BASE"])
    if "TINYHIL_UART_CLOCK_HZ" in defines:
        assert uart.attributes["frequency"] == int(defines["TINYHIL_UART_CLOCK_HZ"])
    if "TINYHIL_USART_GENERATION" in defines:
        assert uart.type == {"1": "UART.STM32_UART", "2": "UART.STM32F7_USART"}[defines["TINYHIL_USART_GENERATION"]]
        assert uart.attributes.get("lowPowerMode", False) == (defines["TINYHIL_UART_IS_LPUART"] == "1")


@pytest.mark.parametrize("name", BOARDS)
def test_registers_that_the_port_writes_are_there(name: str) -> None:
    board, _, parts = described(name)
    addresses = [int(value) for key, value in board.build.defines.items() if re.search(r"_PORT$|_ENABLE$", key)]
    blocks = [part for part in parts.values() if part.type == "Memory.ArrayMemory"]
    for address in addresses:
        assert any(block.base is not None and block.base <= address < block.end for block in blocks), hex(address)


@pytest.mark.parametrize(
    "line",
    [
        'using "platforms/cpus/nrf52840.repl"',
        "uart0: UART.NRF52840_UART @ sysbus 0x4000",
        "cpu: CPU.CortexM @ sysbus",
        "    init: ApplySVD @https://example.com/a.svd",
    ],
)
def test_a_line_outside_the_subset_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.repl"
    path.write_text(f"cpu: CPU.CortexM @ sysbus\n    nvic: nvic\n{line}\n")
    with pytest.raises(NotUnderstood, match=r"a\.repl:3: "):
        read_platform(path)


@pytest.mark.parametrize("line", ["start", "showAnalyzer uart0", "$bin?=@https://example.com/a.elf", "include @a.resc"])
def test_a_statement_outside_the_subset_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.resc"
    path.write_text(f"using sysbus\n{line}\n")
    with pytest.raises(NotUnderstood, match=r"a\.resc:2: "):
        read_script(path)
