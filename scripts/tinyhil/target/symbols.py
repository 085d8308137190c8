# SPDX-License-Identifier: Apache-2.0
"""From an address to the function it lies in."""

from __future__ import annotations

import bisect
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from tinyhil.board import Region


def object_symbol(elf: Path, name: str) -> Region | None:
    """Where the object of that (mangled) name lies; None where the file has none."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        found = table.get_symbol_by_name(name) if isinstance(table, SymbolTableSection) else None
        return Region(int(found[0]["st_value"]), int(found[0]["st_size"])) if found else None


def object_text(elf: Path, name: str) -> str:
    """The text that the object of that (mangled) name holds, up to its zero; "" where the file has none."""
    from elftools.elf.elffile import ELFFile

    place = object_symbol(elf, name)
    if place is None:
        return ""
    with elf.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            start = section["sh_addr"]
            if section["sh_type"] == "SHT_PROGBITS" and start <= place.base < start + section["sh_size"]:
                text: bytes = section.data()[place.base - start :][: place.bytes]
                return text.partition(b"\0")[0].decode("utf-8", "replace")
    return ""


class Symbols:
    """The functions of an ELF file, read when first asked for."""

    def __init__(self, elf: Path) -> None:
        self._elf = elf

    def function_at(self, address: int) -> str:
        """The function's name and the offset in it, as name+0x12; "" where no function holds the address."""
        address &= ~1  # Thumb
        starts = [start for start, _, _ in self._functions]
        at = bisect.bisect_right(starts, address) - 1
        if at < 0:
            return ""
        start, size, name = self._functions[at]
        return f"{_demangled(name)}+{address - start:#x}" if address < start + max(size, 2) else ""

    @cached_property
    def _functions(self) -> list[tuple[int, int, str]]:
        from elftools.elf.elffile import ELFFile
        from elftools.elf.sections import SymbolTableSection

        with self._elf.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                return []
            return sorted(
                (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC"
            )


def _demangled(name: str) -> str:
    """As a person writes it, where a demangler is installed."""
    tool = shutil.which("c++filt") or shutil.which("arm-none-eabi-c++filt")
    if tool is None:
        return name
    done = subprocess.run([tool, name], capture_output=True, text=True, check=False)
    return done.stdout.strip().replace("(anonymous namespace)::", "").partition("(")[0] or name
