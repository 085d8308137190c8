# SPDX-License-Identifier: Apache-2.0
"""FlatBuffer access over bytes that may be truncated, damaged or hostile.

Every offset, length and alignment is checked before use, as on the device (firmware/interpreter/flatbuffer.h). What is
wrong raises MalformedModel with the path of the field. A `Reader` also counts what is read: offsets may point at the
same bytes again and again, so a small file can stand for an enormous one; past a generous multiple of the file's size
it is refused.
"""

from __future__ import annotations

import struct
from typing import NoReturn

from tinyhil.errors import MalformedModel

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_SCALARS = {"i8": "<b", "u8": "<B", "bool": "<?", "i16": "<h", "u16": "<H", "i32": "<i", "u32": "<I"} | {
    "i64": "<q",
    "u64": "<Q",
    "f32": "<f",
    "f64": "<d",
}
_STRUCTS = {kind: struct.Struct(form) for kind, form in _SCALARS.items()}

# A file may share tables and vectors, but not so often that reading it costs this many times its size.
_READ_BUDGET_FACTOR = 64
_READ_BUDGET_FLOOR = 1 << 20


class Reader:
    """The bytes of one file, its name for messages, and the budget of what may be read from it."""

    def __init__(self, data: bytes, file_name: str) -> None:
        self.data = data
        self.size = len(data)
        self.file_name = file_name
        self._budget = max(_READ_BUDGET_FLOOR, _READ_BUDGET_FACTOR * len(data))

    def fail(self, path: str, detail: str) -> NoReturn:
        """Raises MalformedModel for the field at `path`."""
        raise MalformedModel(
            f"{self.file_name}: {path}: {detail}",
            next_step="The file is truncated or damaged: export or download it again.",
        )

    def spend(self, path: str, count_bytes: int) -> None:
        """Counts `count_bytes` as read; raises MalformedModel once the file was read far more often than it is long."""
        self._budget -= count_bytes
        if self._budget < 0:
            self.fail(path, f"the fields of this {self.size}-byte file share the same bytes over and over")

    def u32(self, at: int) -> int:
        return int(_U32.unpack_from(self.data, at)[0])

    def contains(self, at: int, count_bytes: int) -> bool:
        return 0 <= at <= self.size and count_bytes <= self.size - at

    def root(self, path: str) -> Table:
        """The root table of a file of at least 8 bytes."""
        return Table(self, self.u32(0), path)


class Table:
    """One table. Field numbers are those of the schema; a field that the file leaves out has its default."""

    __slots__ = ("_fields_end", "_length", "_vtable", "at", "path", "reader")

    def __init__(self, reader: Reader, at: int, path: str) -> None:
        self.reader = reader
        self.at = at
        self.path = path
        reader.spend(path, 32)
        if at % 4 or not reader.contains(at, 4):
            reader.fail(path, f"table at byte {at} is misaligned or outside the file of {reader.size} bytes")
        vtable = at - int(_I32.unpack_from(reader.data, at)[0])
        if vtable % 2 or not reader.contains(vtable, 4):
            reader.fail(path, f"vtable at byte {vtable} is misaligned or outside the file of {reader.size} bytes")
        vtable_bytes = int(_U16.unpack_from(reader.data, vtable)[0])
        self._length = int(_U16.unpack_from(reader.data, vtable + 2)[0])
        if vtable_bytes < 4 or not reader.contains(vtable, vtable_bytes):
            reader.fail(path, f"vtable of {vtable_bytes} bytes does not fit the file of {reader.size} bytes")
        if self._length < 4 or not reader.contains(at, self._length):
            reader.fail(path, f"table of {self._length} bytes does not fit the file of {reader.size} bytes")
        self._vtable = vtable
        self._fields_end = vtable + vtable_bytes

    def _name(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _offset(self, field: int) -> int:
        entry = self._vtable + 4 + 2 * field
        return int(_U16.unpack_from(self.reader.data, entry)[0]) if entry + 2 <= self._fields_end else 0

    def has(self, field: int) -> bool:
        return self._offset(field) != 0

    def _place(self, field: int, name: str, size: int) -> int:
        """File position of a field that is there; 0 where it is not (position 0 holds the root offset)."""
        offset = self._offset(field)
        if offset == 0:
            return 0
        if offset < 4 or offset + size > self._length:
            self.reader.fail(self._name(name), f"field at {offset} lies outside its table of {self._length} bytes")
        if (self.at + offset) % min(size, 4):
            self.reader.fail(self._name(name), f"field at byte {self.at + offset} is misaligned")
        return self.at + offset

    def scalar(self, field: int, name: str, kind: str, default: float) -> float | int | bool:
        """A number of `kind` ("i8", "u32", "f32", "bool", ...)."""
        form = _STRUCTS[kind]
        at = self._place(field, name, form.size)
        value: float | int | bool = form.unpack_from(self.reader.data, at)[0] if at else default
        return value

    def integer(self, field: int, name: str, kind: str, default: int = 0) -> int:
        return int(self.scalar(field, name, kind, default))

    def _follow(self, at: int, path: str) -> int:
        relative = self.reader.u32(at)
        target = at + relative
        if relative == 0 or target % 4 or not self.reader.contains(target, 4):
            self.reader.fail(
                path, f"offset to byte {target} is misaligned or outside the file of {self.reader.size} bytes"
            )
        return target

    def vector(self, field: int, name: str, element_bytes: int) -> tuple[int, int]:
        """(position of the first element, number of elements); (0, 0) where the field is absent."""
        at = self._place(field, name, 4)
        if not at:
            return 0, 0
        target = self._follow(at, self._name(name))
        count = self.reader.u32(target)
        if not self.reader.contains(target + 4, count * element_bytes):
            self.reader.fail(
                self._name(name),
                f"vector of {count} elements of {element_bytes} bytes at byte {target} does not fit the file "
                f"of {self.reader.size} bytes",
            )
        return target + 4, count

    def numbers(self, field: int, name: str, kind: str) -> tuple[int, ...]:
        """A vector of integers of `kind`."""
        at, count = self.vector(field, name, _STRUCTS[kind].size)
        self.reader.spend(self._name(name), count * _STRUCTS[kind].size)
        return struct.unpack_from(f"<{count}{_STRUCTS[kind].format[-1]}", self.reader.data, at)

    def floats(self, field: int, name: str) -> tuple[float, ...]:
        """A vector of float32, as Python floats of the same value."""
        at, count = self.vector(field, name, 4)
        self.reader.spend(self._name(name), count * 4)
        return struct.unpack_from(f"<{count}f", self.reader.data, at)

    def text(self, field: int, name: str) -> str:
        """A string; characters that a terminal cannot print are replaced."""
        at, count = self.vector(field, name, 1)
        self.reader.spend(self._name(name), count)
        decoded = self.reader.data[at : at + count].decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in decoded)

    def child(self, field: int, name: str) -> Table | None:
        at = self._place(field, name, 4)
        return Table(self.reader, self._follow(at, self._name(name)), self._name(name)) if at else None

    def children(self, field: int, name: str) -> list[Table]:
        """A vector of tables."""
        at, count = self.vector(field, name, 4)
        tables = []
        for i in range(count):
            path = f"{self._name(name)}[{i}]"
            tables.append(Table(self.reader, self._follow(at + 4 * i, path), path))
        return tables
