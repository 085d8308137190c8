# SPDX-License-Identifier: Apache-2.0
"""What the fake flashing tools share: a log of how they were called, and the way to the board's probe.

FAKE_PROBE is the socket of the probe; FAKE_TOOL_FAILS makes a tool fail as it does without a board.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from pathlib import Path


def log(words: list[str]) -> None:
    probe = Path(os.environ["FAKE_PROBE"])
    with (probe.parent / "tools.log").open("a") as file:
        file.write(json.dumps(words) + "\n")


def fail_if_told() -> None:
    if text := os.environ.get("FAKE_TOOL_FAILS"):
        print("trying to connect")
        print(text, file=sys.stderr)
        sys.exit(1)


def read_hex(path: str) -> list[tuple[int, bytes]]:
    """The segments of an Intel HEX file, every checksum verified."""
    segments: list[tuple[int, bytearray]] = []
    upper = 0
    ended = False
    for line in Path(path).read_text().splitlines():
        record = bytes.fromhex(line.removeprefix(":"))
        assert line.startswith(":") and sum(record) & 0xFF == 0 and record[0] == len(record) - 5, line
        assert not ended, "a record after the last"
        address, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
        elif kind == 0:
            place = upper + address
            if segments and segments[-1][0] + len(segments[-1][1]) == place:
                segments[-1][1].extend(data)
            else:
                segments.append((place, bytearray(data)))
        ended = kind == 1
    assert ended, "no end record"
    return [(place, bytes(data)) for place, data in segments]


def ask(**what: object) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(os.environ["FAKE_PROBE"])
        probe.sendall(json.dumps(what).encode() + b"\n")
        if probe.recv(16) != b"ok\n":
            sys.exit("the probe does not answer")


def program(path: str, *, reset: bool = True) -> None:
    ask(program=[(place, base64.b64encode(data).decode()) for place, data in read_hex(path)], reset=reset)


def reset() -> None:
    ask(reset=True)
