# SPDX-License-Identifier: Apache-2.0
"""What an image takes: totals from its section headers, and each symbol with the part of the firmware it belongs to."""

from __future__ import annotations

import bisect
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

GROUPS = ("startup", "engine", "kernels", "libc", "link", "app", "model", "stack")

_SHF_WRITE, _SHF_ALLOC = 1, 2
_MEASURED = ("STT_FUNC", "STT_OBJECT")


@dataclass(frozen=True)
class Figures:
    """Bytes of an image: flash holds code, constants, a bundled model, initial values; ram data and stack, no arena."""

    flash_bytes: int
    ram_bytes: int
    sections: Mapping[str, int]


@dataclass(frozen=True)
class Symbol:
    """A function or object of an image. `section` is the output section; `group` one of GROUPS."""

    name: str
    bytes: int
    section: str
    group: str


def figures(elf: Path) -> Figures:
    """The totals of an image, from its allocated sections."""
    from elftools.elf.elffile import ELFFile

    flash = ram = 0
    sections: dict[str, int] = {}
    with elf.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if not section["sh_flags"] & _SHF_ALLOC or section["sh_size"] == 0:
                continue
            size = int(section["sh_size"])
            sections[section.name] = size
            writable = bool(section["sh_flags"] & _SHF_WRITE)
            if section["sh_type"] != "SHT_NOBITS":
                flash += size
            if writable:
                ram += size
    return Figures(flash, ram, sections)


def layout(elf: Path, *, groups: bool) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """What sections and groups of an image take, as (flash bytes, RAM bytes) each; initial values are in both.

    groups: needs the linker map beside the image; without it there are none.
    """
    from elftools.elf.elffile import ELFFile

    sections: dict[str, tuple[int, int]] = {}
    with elf.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            size = int(section["sh_size"])
            if section["sh_flags"] & _SHF_ALLOC and size:
                in_flash = section["sh_type"] != "SHT_NOBITS"
                in_ram = bool(section["sh_flags"] & _SHF_WRITE)
                sections[section.name] = (size * in_flash, size * in_ram)
    by_group: dict[str, tuple[int, int]] = {}
    for symbol in symbol_sizes(elf) if groups else ():
        whole = sections.get(symbol.section, (0, 0))
        flash, ram = by_group.get(symbol.group, (0, 0))
        by_group[symbol.group] = (flash + symbol.bytes * bool(whole[0]), ram + symbol.bytes * bool(whole[1]))
    return sections, by_group


def uses_mve(elf: Path) -> bool:
    """Whether an image was compiled for Arm's vector extension MVE (Helium), in whole or in part."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import ARMAttributesSection

    with elf.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".ARM.attributes")
        if not isinstance(section, ARMAttributesSection):
            return False
        return any(
            attribute.tag == "TAG_MVE_ARCH" and attribute.value != 0
            for vendor in section.iter_subsections()
            for part in vendor.iter_subsubsections()
            for attribute in part.iter_attributes()
        )


def symbol_sizes(elf: Path) -> list[Symbol]:
    """Every function and object that takes memory in an image, largest first.

    The group comes from the linker map beside the image (image.map), which says which object each address came from.
    Padding between symbols and constants without a name (string literals) belong to no symbol: they are listed as
    "(unnamed)", one row for each group and section, so that the rows add up to the sections.
    """
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with elf.open("rb") as stream:
        file = ELFFile(stream)
        sections = {
            index: section.name
            for index, section in enumerate(file.iter_sections())
            if section["sh_flags"] & _SHF_ALLOC
        }
        table = file.get_section_by_name(".symtab")
        named = [
            (_address(symbol), int(symbol["st_size"]), str(symbol.name))
            for symbol in (table.iter_symbols() if isinstance(table, SymbolTableSection) else ())
            if symbol["st_size"] and symbol["st_shndx"] in sections and symbol["st_info"]["type"] in _MEASURED
        ]
    pieces = _pieces(elf.with_suffix(".map"), set(sections.values()))
    starts = [piece.start for piece in pieces]
    left: dict[tuple[str, str], int] = {}
    for piece in pieces:
        left[piece.group, piece.section] = left.get((piece.group, piece.section), 0) + piece.bytes
    found: list[Symbol] = []
    counted_to = 0  # several names may share code, or enter it at several places: each byte counts once
    for address, symbol_bytes, name in sorted(named, key=lambda symbol: (symbol[0], -symbol[1], symbol[2])):
        end = address + symbol_bytes
        at = bisect.bisect_right(starts, address) - 1
        if end <= counted_to or at < 0:
            continue
        size = end - max(address, counted_to)
        counted_to = end
        piece = pieces[at]
        found.append(Symbol(name, size, piece.section, piece.group))
        left[piece.group, piece.section] -= size
    found += [Symbol("(unnamed)", size, section, group) for (group, section), size in left.items() if size > 0]
    return sorted(found, key=lambda symbol: (-symbol.bytes, symbol.name))


def _address(symbol: Any) -> int:
    """Where it lies: the lowest bit of a Thumb function's value says how to call it."""
    value = int(symbol["st_value"])
    return value & ~1 if symbol["st_info"]["type"] == "STT_FUNC" else value


@dataclass(frozen=True)
class _Piece:
    """An input section where the linker put it."""

    start: int
    bytes: int
    section: str
    group: str


# ".text   0x0 0x6f10", then " .text.name   0x40   0x1c path"; after a long name the numbers are in the next line.
_OUTPUT = re.compile(r"^(\.\S+)(?:\s+0x[0-9a-f]+\s+0x[0-9a-f]+.*)?$")
_INPUT = re.compile(r"^ (?:\.\S+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")
_FILL = re.compile(r"^ \*fill\*\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)")


def _pieces(map_file: Path, sections: Collection[str]) -> list[_Piece]:
    text = map_file.read_text(encoding="utf-8", errors="replace")
    body = text.partition("Linker script and memory map")[2]
    body = re.sub(r"^( (?:\.\S+|COMMON))\n\s+(0x)", r"\1 \2", body, flags=re.MULTILINE)
    pieces: list[_Piece] = []
    section, group = "", "startup"
    for line in body.splitlines():
        output = _OUTPUT.match(line)
        if output:
            section = output[1]
            continue
        if section not in sections:
            continue
        found = _INPUT.match(line)
        if found and int(found[2], 16):
            group = group_of(found[3])
        found = found or _FILL.match(line)
        if found and int(found[2], 16):
            pieces.append(_Piece(int(found[1], 16), int(found[2], 16), section, _SECTION_GROUPS.get(section, group)))
    pieces.sort(key=lambda piece: piece.start)
    # The map gives strings that the linker merged into the next piece a size, and a place, of their own.
    ends = [following.start for following in pieces[1:]] + [sys.maxsize]
    return [
        replace(piece, bytes=min(piece.bytes, end - piece.start))
        for piece, end in zip(pieces, ends, strict=True)
        if end > piece.start
    ]


def group_of(object_path: str) -> str:
    """The group of an object, from its path in the linker map: objects are stored under their source's path."""
    path = object_path.replace("\\", "/")
    for marker, group in _MARKERS:
        if marker in path:
            return group
    return "libc"


_SECTION_GROUPS = {".stack": "stack", ".model": "model"}

# The first that matches. libgcc.a(...) and whatever else a toolchain brings is libc.
_MARKERS = (
    ("/generated/model", "model"),
    ("/generated/ops", "kernels"),
    ("/generated/", "app"),
    ("/ports/cortex_m/libc", "libc"),
    ("/uart.o", "link"),  # of any port: the driver and the bytes that wait in it
    ("/firmware/ports/", "startup"),
    ("/firmware/interpreter/", "engine"),
    ("/firmware/engine/", "engine"),
    ("/firmware/kernels/", "kernels"),
    ("/upstream/cmsis-nn/", "kernels"),
    ("/upstream/tflite-micro/tensorflow/lite/micro/kernels/", "kernels"),
    ("/upstream/tflite-micro/tensorflow/lite/kernels/", "kernels"),
    ("/upstream/", "engine"),
    ("/firmware/link/", "link"),
    ("/firmware/app/", "app"),
)
