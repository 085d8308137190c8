# SPDX-License-Identifier: Apache-2.0
"""What an image takes: totals from its section headers, and each symbol with the part of the firmware it belongs to."""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("startup", "engine", "kernels", "libc", "link", "app", "model")

_SHF_WRITE, _SHF_ALLOC = 1, 2


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


def symbol_sizes(elf: Path) -> list[Symbol]:
    """Every function and object that takes memory in an image, largest first.

    The group comes from the linker map beside the image (image.map), which says which object each address came from.
    Padding between symbols and constants without a name (string literals) belong to no symbol: they are listed as
    "(unnamed)", one row for each group and section, so that the rows add up to the sections.
    """
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    pieces = _pieces(elf.with_suffix(".map"))
    starts = [piece.start for piece in pieces]
    found: list[Symbol] = []
    left: dict[tuple[str, str], int] = {}
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        outputs = {
            index: (section.name, int(section["sh_addr"]), int(section["sh_size"]))
            for index, section in enumerate(file.iter_sections())
            if section["sh_flags"] & _SHF_ALLOC
        }
        table = file.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return []
        sections = sorted(outputs.values(), key=lambda entry: entry[1])
        for piece in pieces:
            section_name = next((name for name, base, size in sections if base <= piece.start < base + size), "")
            if section_name:
                key = (piece.group, section_name)
                left[key] = left.get(key, 0) + piece.bytes
        seen: set[tuple[int, int]] = set()
        for symbol in table.iter_symbols():
            index, size = symbol["st_shndx"], int(symbol["st_size"])
            if index not in outputs or size == 0 or symbol["st_info"]["type"] not in ("STT_FUNC", "STT_OBJECT"):
                continue
            address = int(symbol["st_value"]) & ~(1 if symbol["st_info"]["type"] == "STT_FUNC" else 0)
            if (address, size) in seen:  # another name of the same code
                continue
            seen.add((address, size))
            at = bisect.bisect_right(starts, address) - 1
            group = pieces[at].group if at >= 0 and address < pieces[at].start + pieces[at].bytes else "libc"
            section_name = outputs[index][0]
            found.append(Symbol(symbol.name, size, section_name, group))
            if (group, section_name) in left:
                left[(group, section_name)] -= size
    found += [Symbol("(unnamed)", size, section, group) for (group, section), size in left.items() if size > 0]
    return sorted(found, key=lambda symbol: (-symbol.bytes, symbol.name))


@dataclass(frozen=True)
class _Piece:
    """An input section where the linker put it."""

    start: int
    bytes: int
    group: str


# " .text.name   0x0000000000000040   0x1c path"; a long name has its numbers in the next line.
_INPUT = re.compile(r"^ (\.[^\s]+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")
_FILL = re.compile(r"^ \*fill\*\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)")


def _pieces(map_file: Path) -> list[_Piece]:
    text = map_file.read_text(encoding="utf-8", errors="replace")
    body = text.partition("Linker script and memory map")[2]
    body = re.sub(r"^( (?:\.[^\s]+|COMMON))\n\s+(0x)", r"\1 \2", body, flags=re.MULTILINE)
    pieces: list[_Piece] = []
    group = "startup"
    for line in body.splitlines():
        match = _INPUT.match(line)
        if match:
            size = int(match[3], 16)
            if size:
                group = group_of(match[4])
                pieces.append(_Piece(int(match[2], 16), size, group))
            continue
        fill = _FILL.match(line)
        if fill:
            pieces.append(_Piece(int(fill[1], 16), int(fill[2], 16), group))
    return sorted(pieces, key=lambda piece: piece.start)


def group_of(object_path: str) -> str:
    """The group of an object, from its path in the linker map: objects are stored under their source's path."""
    path = object_path.replace("\\", "/")
    for marker, group in _MARKERS:
        if marker in path:
            return group
    return "libc"


# The first that matches. libgcc.a(...) and whatever else a toolchain brings is libc.
_MARKERS = (
    ("/generated/model", "model"),
    ("/generated/ops", "kernels"),
    ("/generated/", "app"),
    ("/ports/cortex_m/libc", "libc"),
    ("/firmware/ports/", "startup"),
    ("/firmware/interpreter/", "engine"),
    ("/firmware/engine/", "engine"),
    ("/firmware/kernels/", "kernels"),
    ("/firmware/link/", "link"),
    ("/firmware/app/", "app"),
)
