# SPDX-License-Identifier: Apache-2.0
"""Boards: what platforms/<name>/board.yaml says, checked.

The file is held against schemas/board.schema.json and then against itself (the slot lies inside its memory, memories do
not overlap, ports exist). Every refusal names the file, the line and the key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tinyhil.assets import board_folders, firmware_dir
from tinyhil.errors import BoardFileError, UnknownBoard
from tinyhil.yaml_file import YamlFile

SLOT_ALIGNMENT_BYTES = 16


@dataclass(frozen=True)
class Region:
    """A memory: its address (0 where the host places it) and its size."""

    base: int
    bytes: int

    @property
    def end(self) -> int:
        return self.base + self.bytes


@dataclass(frozen=True)
class SlotSpec:
    """The model slot: where the header and the model lie, and whether the firmware can write it."""

    memory: str
    base: int
    bytes: int
    writable: bool


@dataclass(frozen=True)
class BuildSpec:
    """How the board's firmware is compiled. `ports` are existing folders; `defines` go to the sources in them alone."""

    compiler: str
    cpu: tuple[str, ...]
    upstream_cpu: tuple[str, ...]  # for the sources of CMSIS-NN and TFLite Micro
    ports: tuple[Path, ...]
    linker_script: Path | None
    defines: Mapping[str, str]
    ops: tuple[str, ...] | None = None  # the operators of a slot image; None: every one


@dataclass(frozen=True)
class SocSpec:
    """The chip has `id` in those bits of the register at `address` that `mask` has."""

    address: int
    mask: int
    id: int


@dataclass(frozen=True)
class SerialSpec:
    """The serial port of the real board: where it is found, and how it is spoken to.

    port: as `--port` takes it; "" for none. usb: (vendor, product). interface: which of several ports of one board.
    baud: rates above the one the firmware starts with.
    """

    port: str = ""
    usb: tuple[tuple[int, int], ...] = ()
    interface: int = 0
    baud: tuple[int, ...] = ()
    flow_control: str = "none"


NO_SERIAL = SerialSpec()


@dataclass(frozen=True)
class TargetSpec:
    """One way of running the board. `machine` and `args` are QEMU's; what follows the counter's scale is Renode's.

    instructions_per_tick: instructions in one tick of the port's counter; None where it does not count instructions.
    script, platform: existing files, .resc and .repl. uart: its name in them. mips: the core's PerformanceInMips.
    since: the first Renode version that has all of the board.
    """

    name: str
    machine: str
    args: tuple[str, ...]
    instructions_per_tick: float | None
    script: Path | None = None
    platform: Path | None = None
    uart: str = ""
    mips: int | None = None
    since: str = ""
    serial: SerialSpec = NO_SERIAL


@dataclass(frozen=True)
class ZephyrSpec:
    """The board in Zephyr. `names`: Zephyr's name for it in each range of versions, as (range, name) of the file.

    modules: the names of modules that it needs beside CMSIS: its vendor's HAL.
    conf, overlay: existing files, given to the build beside the application's own.
    targets: those that run a Zephyr image in another way than a bare-metal one.
    """

    names: tuple[tuple[str, str], ...]
    modules: tuple[str, ...]
    conf: tuple[Path, ...]
    overlay: tuple[Path, ...]
    targets: Mapping[str, TargetSpec]

    def name_in(self, version: tuple[int, ...]) -> str | None:
        """Zephyr's name for the board in that version (major, minor, ...); None where it has none there."""
        return next((name for condition, name in self.names if _holds(condition, version)), None)


def _holds(condition: str, version: tuple[int, ...]) -> bool:
    """Whether a version meets every comparison of a range: ">=3.7,<4.2". An empty range is met by all."""
    for sign, text in re.findall(r"(<=|>=|<|>)([0-9.]+)", condition):
        number = tuple(int(part) for part in text.split("."))
        mine = version[: len(number)]
        if not {"<": mine < number, "<=": mine <= number, ">": mine > number, ">=": mine >= number}[sign]:
            return False
    return True


@dataclass(frozen=True)
class Board:
    """A row of platforms/. `targets` keeps the file's order; the first is the default.

    bare_metal: None where the board runs Zephyr alone. zephyr: None where it has no Zephyr application.
    """

    name: str
    title: str
    core: str
    virtual: bool
    folder: Path
    memory: Mapping[str, Region]
    slot: SlotSpec
    stack_bytes: int
    bare_metal: BuildSpec | None
    targets: Mapping[str, TargetSpec]
    clock_hz: int | None = None
    soc: SocSpec | None = None
    flash: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of each flasher by its name, in order of preference."""
    zephyr: ZephyrSpec | None = None

    @property
    def firmwares(self) -> tuple[str, ...]:
        """What it can run, of tinyhil.record.FIRMWARES; the first is the default."""
        bare_metal = ("bare_metal",) if self.bare_metal is not None else ()
        return bare_metal + (("zephyr",) if self.zephyr is not None else ())

    @property
    def build(self) -> BuildSpec:
        """How its bare-metal firmware is compiled. Raises UnknownBoard where it has none."""
        self.running("bare_metal")
        assert self.bare_metal is not None
        return self.bare_metal

    @property
    def runs_on_host(self) -> bool:
        """Whether its firmware is a program of this computer."""
        return "native" in self.targets

    def running(self, firmware: str) -> Board:
        """The board with the targets of that firmware. Raises UnknownBoard where it cannot run it."""
        if firmware not in self.firmwares:
            raise UnknownBoard(
                f"board {self.name} has no firmware {firmware!r}",
                next_step=f"It has: {', '.join(self.firmwares)}; choose with --firmware, or add to "
                f"{self.folder / 'board.yaml'}.",
            )
        if firmware != "zephyr" or self.zephyr is None or not self.zephyr.targets:
            return self
        return replace(self, targets={**self.targets, **self.zephyr.targets})


def board_names() -> list[str]:
    """The names of all boards, sorted; those of $TINYHIL_PLATFORMS among them."""
    names: set[str] = set()
    for folder in board_folders():
        if folder.is_dir():
            names.update(entry.parent.name for entry in folder.glob("*/board.yaml"))
    return sorted(names)


def load_board(name: str) -> Board:
    """Reads and checks a board's file.

    Raises:
        UnknownBoard: no folder of that name has a board.yaml.
        BoardFileError: the file cannot be read, or a key of it is missing, misspelt or wrong.
    """
    for folder in board_folders():
        path = folder / name / "board.yaml"
        if name and Path(name).name == name and path.is_file():
            return _read(path)
    names = board_names()
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Boards there are: {', '.join(names)}."
    raise UnknownBoard(f"There is no board named '{name}'.", next_step=f"{hint} `tinyhil boards` lists them all.")


def _bytes(value: int | str) -> int:
    if isinstance(value, int):
        return value
    return int(value[:-1]) * (1024 if value.endswith("K") else 1024 * 1024)


def _read(path: Path) -> Board:
    file = YamlFile(path, "board", BoardFileError, "platforms/README.md")
    file.check()
    values = file.values
    folder = path.parent
    if values["name"] != folder.name:
        raise file.error(["name"], f"'{values['name']}' is not the folder's name, '{folder.name}'")
    if "build" not in values and "zephyr" not in values:
        raise file.error(["build"], "missing key (it may be left out only where there is 'zephyr')")
    build = _build(file, folder) if "build" in values else None
    on_host = values["build"]["compiler"] == "host" if "build" in values else "native" in values["targets"]
    memory = _memory(file, on_host=on_host)
    targets = {name: _target(file, folder, ["targets", name]) for name in values["targets"]}
    if "serial" in targets and "clock_hz" not in values:
        raise file.error(["clock_hz"], "missing key: a board with a serial target says how fast its core runs")
    stack_bytes = _bytes(values["stack_bytes"])
    if stack_bytes % 8 != 0:
        raise file.error(["stack_bytes"], f"{stack_bytes} is not a multiple of 8")
    return Board(
        name=values["name"],
        title=values["title"],
        core=values["core"],
        virtual=values["virtual"],
        folder=folder,
        memory=memory,
        slot=_slot(file, memory),
        stack_bytes=stack_bytes,
        bare_metal=build,
        targets=targets,
        zephyr=_zephyr(file, folder) if "zephyr" in values else None,
        clock_hz=values.get("clock_hz"),
        soc=SocSpec(**values["soc"]) if "soc" in values else None,
        flash=values.get("flash", {}),
    )


def _serial(spec: Mapping[str, Any]) -> SerialSpec:
    return SerialSpec(
        port=spec.get("port", ""),
        usb=tuple((int(text[:4], 16), int(text[5:], 16)) for text in spec.get("usb", ())),
        interface=spec.get("interface", 0),
        baud=tuple(sorted(spec.get("baud", ()), reverse=True)),
        flow_control=spec.get("flow_control", "none"),
    )


def _beside(file: YamlFile, folder: Path, name: str, at: Sequence[str | int]) -> Path:
    found = folder / name
    if not found.is_file():
        raise file.error(at, f"no file '{name}' in {folder}")
    return found


def _zephyr(file: YamlFile, folder: Path) -> ZephyrSpec:
    spec = file.values["zephyr"]
    names = {"": spec["board"]} if isinstance(spec["board"], str) else spec["board"]

    def files(key: str) -> tuple[Path, ...]:
        return tuple(
            _beside(file, folder, name, ["zephyr", key, index]) for index, name in enumerate(spec.get(key, ()))
        )

    return ZephyrSpec(
        names=tuple(names.items()),
        modules=tuple(spec.get("modules", ())),
        conf=files("conf"),
        overlay=files("overlay"),
        targets={name: _target(file, folder, ["zephyr", "targets", name]) for name in spec.get("targets", ())},
    )


def _target(file: YamlFile, folder: Path, at: Sequence[str]) -> TargetSpec:
    spec = file.values
    for key in at:
        spec = spec[key]

    def beside(key: str) -> Path | None:
        return _beside(file, folder, spec[key], [*at, key]) if key in spec else None

    return TargetSpec(
        name=at[-1],
        machine=spec.get("machine", ""),
        args=tuple(spec.get("args", ())),
        instructions_per_tick=float(spec["instructions_per_tick"]) if "instructions_per_tick" in spec else None,
        script=beside("script"),
        platform=beside("platform"),
        uart=spec.get("uart", ""),
        mips=spec.get("mips"),
        since=spec.get("since", ""),
        serial=_serial(spec) if at[-1] == "serial" else NO_SERIAL,
    )


def _memory(file: YamlFile, *, on_host: bool) -> dict[str, Region]:
    regions: dict[str, Region] = {}
    for name, spec in file.values["memory"].items():
        if on_host:
            if "base" in spec:
                raise file.error(["memory", name, "base"], "the host places its memory; leave it out")
            regions[name] = Region(0, _bytes(spec["bytes"]))
            continue
        if "base" not in spec:
            raise file.error(["memory", name, "base"], "missing key (address)")
        region = Region(spec["base"], _bytes(spec["bytes"]))
        for other, taken in regions.items():
            if region.base < taken.end and taken.base < region.end:
                raise file.error(["memory", name], f"overlaps '{other}', which ends at {taken.end:#x}")
        regions[name] = region
    return regions


def _slot(file: YamlFile, memory: Mapping[str, Region]) -> SlotSpec:
    spec = file.values["slot"]
    if spec["memory"] not in memory:
        raise file.error(["slot", "memory"], f"no memory is named '{spec['memory']}'; there are {', '.join(memory)}")
    region = memory[spec["memory"]]
    offset, size = _bytes(spec["offset"]), _bytes(spec["bytes"])
    base = region.base + offset
    if base % SLOT_ALIGNMENT_BYTES != 0:
        raise file.error(["slot", "offset"], f"the slot starts at {base:#x}, not a multiple of {SLOT_ALIGNMENT_BYTES}")
    if spec["memory"] == "ram" and offset + size != region.bytes:
        raise file.error(["slot", "offset"], "a slot in ram must end where ram ends")
    over_bytes = offset + size - region.bytes
    if over_bytes > 0:
        raise file.error(["slot", "bytes"], f"the slot ends {over_bytes} bytes behind the end of '{spec['memory']}'")
    return SlotSpec(memory=spec["memory"], base=base, bytes=size, writable=spec["writable"])


def _build(file: YamlFile, folder: Path) -> BuildSpec:
    spec = file.values["build"]
    places = (folder, firmware_dir() / "ports")

    def find(relative: str, at: Sequence[str | int], kind: str) -> Path:
        for place in places:
            found = place / relative
            if found.is_dir() if kind == "folder" else found.is_file():
                return found
        raise file.error(at, f"no {kind} '{relative}' in {folder} or in firmware/ports")

    bare_metal = spec["compiler"] != "host"
    if bare_metal != ("linker_script" in spec):
        problem = "missing key (path in firmware/ports)" if bare_metal else "a host process has none"
        raise file.error(["build", "linker_script"], problem)
    return BuildSpec(
        compiler=spec["compiler"],
        cpu=tuple(spec["cpu"]),
        upstream_cpu=tuple(spec.get("upstream_cpu", spec["cpu"])),
        ports=tuple(find(port, ["build", "ports", index], "folder") for index, port in enumerate(spec["ports"])),
        linker_script=find(spec["linker_script"], ["build", "linker_script"], "file") if bare_metal else None,
        defines={key: str(value) for key, value in spec.get("defines", {}).items()},
        ops=tuple(spec["ops"]) if "ops" in spec else None,
    )
