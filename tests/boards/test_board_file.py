# SPDX-License-Identifier: Apache-2.0
"""board.yaml: what is read from it, and how each mistake in it is reported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny_firmware
import tinyhil
from tinyhil.board import Region, board_names, load_board
from tinyhil.errors import BoardFileError, UnknownBoard

GOOD = """\
name: my_board
title: My board
core: Cortex-M4F
virtual: false
memory:
  flash: {base: 0x08000000, bytes: 1M}
  ram: {base: 0x20000000, bytes: 256K}
slot: {memory: flash, offset: 512K, bytes: 512K, writable: false}
stack_bytes: 4096
build:
  compiler: arm-none-eabi
  cpu: [-mcpu=cortex-m4, -mthumb]
  ports: [cortex_m, my_port]
  linker_script: cortex_m/image.ld
  defines: {UART_BASE: 0x40000000, NAME: text}
targets:
  qemu: {machine: my-machine, args: [-global, x=y], instructions_per_tick: 62.5}
  renode:
    script: my_board.resc
    platform: my_board.repl
    uart: sysbus.uart0
    mips: 64
    instructions_per_tick: 1
    since: "1.15.3"
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes the file of my_board and returns its path."""
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(tmp_path))

    def write(text: str) -> Path:
        folder = tmp_path / "my_board"
        (folder / "my_port").mkdir(parents=True)
        (folder / "my_board.resc").touch()
        (folder / "my_board.repl").touch()
        path = folder / "board.yaml"
        path.write_text(text)
        return path

    return write


def refusal(write: Callable[[str], Path], old: str, new: str) -> tuple[str, str]:
    """The message for GOOD with `old` replaced, and the path of the file."""
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    with pytest.raises(BoardFileError) as caught:
        load_board("my_board")
    assert caught.value.exit_status == 21
    assert str(path) in caught.value.next_step
    return caught.value.message, str(path)


def line_of(text: str) -> int:
    return GOOD[: GOOD.index(text)].count("\n") + 1


def test_a_board_is_what_its_file_says(write: Callable[[str], Path]) -> None:
    path = write(GOOD)
    board = load_board("my_board")
    assert (board.name, board.title, board.core, board.virtual) == ("my_board", "My board", "Cortex-M4F", False)
    assert board.memory == {"flash": Region(0x08000000, 1 << 20), "ram": Region(0x20000000, 256 << 10)}
    assert (board.slot.memory, board.slot.base, board.slot.bytes) == ("flash", 0x08080000, 512 << 10)
    assert not board.slot.writable
    assert board.stack_bytes == 4096
    assert board.build.cpu == ("-mcpu=cortex-m4", "-mthumb")
    assert board.build.ports[1] == path.parent / "my_port"
    assert board.build.defines == {"UART_BASE": "1073741824", "NAME": "text"}
    assert board.targets["qemu"].machine == "my-machine"
    assert board.targets["qemu"].args == ("-global", "x=y")
    assert board.targets["qemu"].instructions_per_tick == 62.5
    renode = board.targets["renode"]
    assert (renode.script, renode.platform) == (path.parent / "my_board.resc", path.parent / "my_board.repl")
    assert (renode.uart, renode.mips, renode.instructions_per_tick) == ("sysbus.uart0", 64, 1)
    assert renode.since == "1.15.3"


ZEPHYR = """
zephyr:
  board: {"<3.7": my_board, ">=3.7,<4.2": my_board/soc, ">=4.2": yours/soc}
  modules: [hal_mine]
  conf: [zephyr.conf]
  targets:
    renode: {script: z.resc, platform: z.repl, uart: sysbus.uart1, mips: 64, instructions_per_tick: 2, since: "1.15.3"}
"""


def test_a_board_in_zephyr_has_a_name_for_each_range_of_versions_and_targets_of_its_own(
    write: Callable[[str], Path],
) -> None:
    folder = write(GOOD + ZEPHYR).parent
    for name in ("zephyr.conf", "z.resc", "z.repl"):
        (folder / name).write_text("")
    board = load_board("my_board")
    assert board.firmwares == ("bare_metal", "zephyr")
    assert board.zephyr is not None
    versions = [(3, 3, 0), (3, 6, 99), (3, 7, 0), (4, 1, 0), (4, 2, 0)]
    names = [board.zephyr.name_in(version) for version in versions]
    assert names == ["my_board", "my_board", "my_board/soc", "my_board/soc", "yours/soc"]
    assert (board.zephyr.modules, board.zephyr.conf) == (("hal_mine",), (folder / "zephyr.conf",))
    assert board.running("bare_metal").targets["renode"].uart == "sysbus.uart0"
    assert board.running("zephyr").targets["renode"].uart == "sysbus.uart1"
    assert board.running("zephyr").targets["qemu"] == board.targets["qemu"]


def test_a_version_that_no_range_holds_has_no_name(write: Callable[[str], Path]) -> None:
    write(GOOD + 'zephyr: {board: {">=3.5": my_board}}\n')
    spec = load_board("my_board").zephyr
    assert spec is not None
    assert spec.name_in((3, 4, 0)) is None


def test_a_board_may_have_zephyr_alone(write: Callable[[str], Path]) -> None:
    head, _, rest = GOOD.partition("build:\n")
    write(head + rest[rest.index("targets:") :] + "zephyr: {board: my_board}\n")
    board = load_board("my_board")
    assert board.firmwares == ("zephyr",)
    with pytest.raises(UnknownBoard, match="no firmware 'bare_metal'"):
        _ = board.build


def test_a_board_that_is_not_in_zephyr_cannot_run_it(write: Callable[[str], Path]) -> None:
    write(GOOD)
    with pytest.raises(UnknownBoard, match="no firmware 'zephyr'") as caught:
        load_board("my_board").running("zephyr")
    assert "bare_metal" in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("zephyr: {}\n", "zephyr.board"),
        ("zephyr: {board: x, boards: y}\n", "zephyr.boards"),
        ("zephyr: {board: x, overlay: [none.overlay]}\n", "zephyr.overlay[0]"),
        ("zephyr: {board: {newer: x}}\n", "zephyr.board"),
        ("zephyr: {board: 3}\n", "zephyr.board"),
        ("zephyr: {board: x, targets: {renode: {}}}\n", "zephyr.targets.renode."),
    ],
)
def test_what_is_wrong_with_zephyr_is_named(write: Callable[[str], Path], text: str, key: str) -> None:
    message, _ = refusal(write, GOOD, GOOD + text)
    assert f" {key}" in message


def test_boards_of_the_environment_are_listed_beside_our_own(write: Callable[[str], Path]) -> None:
    write(GOOD)
    assert {"my_board", "native", "mps2_an386"} <= set(board_names())


@pytest.mark.parametrize("name", board_names())
def test_every_board_that_comes_with_tinyhil_is_valid(name: str) -> None:
    board = load_board(name)
    assert board.targets
    small = board.memory["flash"].bytes <= 256 * 1024
    assert board.slot.bytes >= (32 * 1024 if small else 64 + 333_288)


def test_an_unknown_board_is_refused_with_names_like_it() -> None:
    with pytest.raises(UnknownBoard) as caught:
        load_board("mps2_an368")
    assert caught.value.exit_status == 20
    assert "mps2_an368" in caught.value.message
    assert "mps2_an386" in caught.value.next_step


@pytest.mark.parametrize("name", ["", ".", "..", "../platforms/native", "/etc", "native/"])
def test_a_board_is_named_not_pathed(name: str) -> None:
    with pytest.raises(UnknownBoard):
        load_board(name)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("title: My board\n", "", "title"),
        ("virtual: false\n", "", "virtual"),
        ("stack_bytes: 4096\n", "", "stack_bytes"),
        (", writable: false", "", "slot.writable"),
        ("  compiler: arm-none-eabi\n", "", "build.compiler"),
        ("  linker_script: cortex_m/image.ld\n", "", "build.linker_script"),
        ("machine: my-machine, ", "", "targets.qemu.machine"),
        (", instructions_per_tick: 62.5", "", "targets.qemu.instructions_per_tick"),
        ("    mips: 64\n", "", "targets.renode.mips"),
        ('    since: "1.15.3"\n', "", "targets.renode.since"),
        ("base: 0x20000000, ", "", "memory.ram.base"),
        (", bytes: 256K", "", "memory.ram.bytes"),
        ("  flash: {base: 0x08000000, bytes: 1M}\n", "", "memory.flash"),
    ],
)
def test_a_missing_key_is_named(write: Callable[[str], Path], old: str, new: str, key: str) -> None:
    message, path = refusal(write, old, new)
    assert message.startswith(path)
    assert f" {key}: missing key" in message


@pytest.mark.parametrize(
    ("old", "new", "key", "meant"),
    [
        ("title:", "titel:", "titel", "title"),
        ("stack_bytes:", "stack_byts:", "stack_byts", "stack_bytes"),
        ("offset:", "ofset:", "slot.ofset", "offset"),
        ("machine:", "machin:", "targets.qemu.machin", "machine"),
        ("linker_script:", "linker-script:", "build.linker-script", "linker_script"),
        ("  qemu:", "  qemo:", "targets.qemo", "qemu"),
        ("  renode:", "  renod:", "targets.renod", "renode"),
        ("base: 0x20000000", "bass: 0x20000000", "memory.ram.bass", "base"),
    ],
)
def test_a_misspelt_key_is_named_with_its_line_and_what_was_meant(
    write: Callable[[str], Path], old: str, new: str, key: str, meant: str
) -> None:
    message, path = refusal(write, old, new)
    assert message == f"{path}:{line_of(old)}: {key}: unknown key; did you mean '{meant}'?"


def test_an_unknown_key_like_no_other_is_answered_with_those_there_are(write: Callable[[str], Path]) -> None:
    message, _ = refusal(write, "virtual: false", "virtual: false\nfrequency: 1")
    assert "frequency: unknown key; known here: " in message
    assert "stack_bytes" in message


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("virtual: false", "virtual: no_idea", "virtual", "must be true or false, not 'no_idea'"),
        ("title: My board", "title: 7", "title", "must be text, not 7"),
        ("bytes: 256K", "bytes: 256k", "memory.ram.bytes", "'256k' is not a size"),
        ("bytes: 256K", "bytes: -1", "memory.ram.bytes", "-1 is not a size"),
        ("stack_bytes: 4096", "stack_bytes: 4 KB", "stack_bytes", "'4 KB' is not a size"),
        ("base: 0x20000000", "base: low", "memory.ram.base", "must be an integer, not 'low'"),
        ("cpu: [-mcpu=cortex-m4, -mthumb]", "cpu: -mcpu=cortex-m4", "build.cpu", "must be a list"),
        ("cpu: [-mcpu=cortex-m4, -mthumb]", "cpu: [mcpu]", "build.cpu[0]", "'mcpu' is not of the form ^-"),
        ("compiler: arm-none-eabi", "compiler: gcc", "build.compiler", "'gcc' is not one of arm-none-eabi, host"),
        (
            "instructions_per_tick: 62.5",
            "instructions_per_tick: fast",
            "targets.qemu.instructions_per_tick",
            "a number",
        ),
        ("instructions_per_tick: 62.5", "instructions_per_tick: 0", "targets.qemu.instructions_per_tick", "0"),
        ("slot: {memory: flash, offset: 512K, bytes: 512K, writable: false}", "slot: 512K", "slot", "a mapping"),
        ("mips: 64", "mips: 6.4", "targets.renode.mips", "must be an integer, not 6.4"),
        (
            'since: "1.15.3"',
            "since: 1.15",
            "targets.renode.since",
            "not 1.15 (the first Renode version that has all of the board, in quotes)",
        ),
        ('since: "1.15.3"', "since: new", "targets.renode.since", "'new' is not of the form"),
        ("uart: sysbus.uart0", "uart: uart0", "targets.renode.uart", "'uart0' is not of the form"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_is_expected(
    write: Callable[[str], Path], old: str, new: str, key: str, expected: str
) -> None:
    message, path = refusal(write, old, new)
    assert message.startswith(f"{path}:{line_of(old)}: {key}: ")
    assert expected in message


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("name: my_board", "name: your_board", "name", "is not the folder's name, 'my_board'"),
        ("base: 0x20000000", "base: 0x08000000", "memory.ram", "overlaps 'flash'"),
        ("memory: flash, offset", "memory: rom, offset", "slot.memory", "no memory is named 'rom'"),
        ("offset: 512K", "offset: 513K", "slot.bytes", "ends 1024 bytes behind the end of 'flash'"),
        ("offset: 512K", "offset: 8", "slot.offset", "not a multiple of 16"),
        ("slot: {memory: flash", "slot: {memory: ram", "slot.offset", "must end where ram ends"),
        ("stack_bytes: 4096", "stack_bytes: 4097", "stack_bytes", "not a multiple of 8"),
        ("[cortex_m, my_port]", "[cortex_m, your_port]", "build.ports[1]", "no folder 'your_port'"),
        ("script: my_board.resc", "script: your.resc", "targets.renode.script", "no file 'your.resc'"),
        ("platform: my_board.repl", "platform: your.repl", "targets.renode.platform", "no file 'your.repl'"),
        ("cortex_m/image.ld", "cortex_m/imag.ld", "build.linker_script", "no file 'cortex_m/imag.ld'"),
        ("title: My board", "title: My board\ntitle: Again", "title", f"given twice (first in line {2})"),
    ],
)
def test_what_contradicts_itself_is_refused(
    write: Callable[[str], Path], old: str, new: str, key: str, expected: str
) -> None:
    message, _ = refusal(write, old, new)
    assert f" {key}: " in message
    assert expected in message


@pytest.mark.parametrize("text", ["", "- a list\n", "just text\n", "{}\n", "null\n"])
def test_a_file_that_is_no_mapping_is_refused(write: Callable[[str], Path], text: str) -> None:
    path = write(text)
    with pytest.raises(BoardFileError, match=r"board\.yaml") as caught:
        load_board("my_board")
    assert str(path) in caught.value.message


def test_a_file_that_is_not_yaml_is_refused_with_its_line(write: Callable[[str], Path]) -> None:
    message, path = refusal(write, "virtual: false", "virtual: [false")
    assert message.startswith(f"{path}:")
    assert "not YAML" in message


def test_a_file_that_is_not_text_is_refused(write: Callable[[str], Path]) -> None:
    path = write("")
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(BoardFileError, match="cannot be read"):
        load_board("my_board")


def keys_of(schema: dict[str, Any], shared: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, inner in schema.get("properties", {}).items():
        yield prefix + key
        if prefix != "zephyr.":  # its targets are as the others
            inner = shared.get(inner.get("$ref", "").rpartition("/")[2], inner)
        yield from keys_of(inner, shared, f"{prefix}{key}.")
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        yield from keys_of(schema["additionalProperties"], shared, f"{prefix}*.")


def test_the_readme_explains_every_key_and_no_other() -> None:
    schema = json.loads((Path(tinyhil.__file__).parent / "schemas" / "board.schema.json").read_text())
    readme = (tiny_firmware.REAL_PLATFORMS / "README.md").read_text()
    table = readme.split("## Every key")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE) == list(keys_of(schema, schema["$defs"]))


def test_the_readme_lists_every_board() -> None:
    readme = (tiny_firmware.REAL_PLATFORMS / "README.md").read_text()
    table = readme.split("## How to add")[0]
    listed = re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.parent.name for path in tiny_firmware.REAL_PLATFORMS.glob("*/board.yaml"))
