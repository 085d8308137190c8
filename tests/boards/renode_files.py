# SPDX-License-Identifier: Apache-2.0
"""A reader of the part of Renode's file formats that platforms/ uses. What it does not know it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

HEADER = re.compile(r"(?P<name>[a-z]\w*): (?P<type>\w+\.\w+) @ sysbus(?: (?P<place>.+))?")
PLACE = re.compile(r"(0x[0-9A-F]{8})|<(0x[0-9A-F]{8}), \+(0x[0-9a-fA-F]+)>")
ATTRIBUTE = re.compile(r"    (?P<key>[a-zA-Z]\w*): (?P<value>\"[^\"]*\"|0x[0-9a-fA-F]+|\d+|true|false|[a-z]\w*)")
TAG = re.compile(r"        Tag <(0x[0-9A-F]{8}), (0x[0-9A-F]{8})> \"(\w+)\" 0x[0-9a-fA-F]+")
CONNECTION = re.compile(r"    (?:(?P<pin>\w+) )?-> (?P<target>\w+)@(?P<number>\d+)")
STATEMENT = re.compile(
    r""":(?:name|description): .+
    |\$(?P<default>\w+)\?="[^"]*"
    |using\ (?P<using>\w+)
    |mach\ create\ \$(?P<machine>\w+)
    |\$platform\?=\$ORIGIN/(?P<platform>[\w.]+)
    |machine\ LoadPlatformDescription\ \$(?P<loads>platform)
    |macro\ (?P<macro>\w+)
    |runMacro\ \$(?P<run>\w+)
    |\ {4}sysbus\ LoadELF\ \$(?P<elf>\w+)
    |\ {4}sysbus\ WriteDoubleWord\ 0xE000ED08\ (?P<vectors>0x[0-9A-F]{8})
    |\"\"\"""",
    re.VERBOSE,
)


class NotUnderstood(Exception):
    """A line outside the subset."""


@dataclass
class Part:
    """An entry of a .repl: a model, where it is, and what it is told; or a tag, a register that reads as one value."""

    name: str
    type: str
    base: int | None
    size: int | None
    attributes: dict[str, int | str | bool] = field(default_factory=dict)
    connections: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def end(self) -> int:
        assert self.base is not None
        assert self.size is not None
        return self.base + self.size


def _lines(path: Path, comment: str) -> list[tuple[int, str]]:
    lines = [(number, line.rstrip()) for number, line in enumerate(path.read_text().splitlines(), start=1)]
    return [(number, line) for number, line in lines if line and not line.startswith(comment)]


def _value(text: str) -> int | str | bool:
    if text in ("true", "false"):
        return text == "true"
    if text[0] == '"':
        return text[1:-1]
    return int(text, 0) if text[0].isdigit() else text


def read_platform(path: Path) -> dict[str, Part]:
    """The parts of a .repl by name. Raises NotUnderstood with the line."""
    parts: dict[str, Part] = {}
    part: Part | None = None
    tagging = False
    for number, line in _lines(path, "//"):
        if line in ("sysbus:", "    init:"):
            tagging, part = True, None
        elif tagging and (tag := TAG.fullmatch(line)):
            base, last = int(tag[1], 16), int(tag[2], 16)
            parts[tag[3]] = Part(tag[3], "Tag", base, last + 1 - base)
        elif header := HEADER.fullmatch(line):
            base = size = None
            if header["place"]:
                place = PLACE.fullmatch(header["place"])
                if place is None:
                    raise NotUnderstood(f"{path}:{number}: {line}")
                base = int(place[1] or place[2], 16)
                size = int(place[3], 16) if place[3] else None
            if header["name"] in parts:
                raise NotUnderstood(f"{path}:{number}: {header['name']} is there already")
            tagging = False
            part = parts[header["name"]] = Part(header["name"], header["type"], base, size)
        elif part and (attribute := ATTRIBUTE.fullmatch(line)):
            part.attributes[attribute["key"]] = _value(attribute["value"])
            if attribute["key"] == "size":
                part.size = int(attribute["value"], 0)
        elif part and (connection := CONNECTION.fullmatch(line)):
            part.connections.append((connection["pin"] or "", connection["target"], int(connection["number"])))
        else:
            raise NotUnderstood(f"{path}:{number}: {line}")
    return parts


def read_script(path: Path) -> dict[str, list[str]]:
    """What a .resc does, by the names of STATEMENT's groups. Raises NotUnderstood with the line."""
    found: dict[str, list[str]] = {name: [] for name in STATEMENT.groupindex}
    for number, line in _lines(path, "#"):
        statement = STATEMENT.fullmatch(line)
        if statement is None:
            raise NotUnderstood(f"{path}:{number}: {line}")
        for name, value in statement.groupdict().items():
            if value is not None:
                found[name].append(value)
    return found
