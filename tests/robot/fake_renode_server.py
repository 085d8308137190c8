# SPDX-License-Identifier: Apache-2.0
"""Answers Robot as Renode's keyword server does under renode-test, with QEMU where Renode would emulate the board."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

from tinyhil.board import load_board
from tinyhil.target.qemu import QemuTarget


class FakeRenode:
    KEYWORDS = (
        "Execute Command",
        "Create Terminal Tester",
        "Start Emulation",
        "Reset Emulation",
        "Write Line To Uart",
        "Wait For Next Line On Uart",
        "Get Terminal Tester Report",
    )

    def __init__(self) -> None:
        self.server = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False, allow_none=True)
        self.server.register_function(lambda: list(self.KEYWORDS), "get_keyword_names")
        self.server.register_function(self.run_keyword, "run_keyword")
        self.port = self.server.server_address[1]
        self.elf = Path()
        self.board = ""
        self.target: QemuTarget | None = None
        self.said = b""
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def run_keyword(self, name: str, arguments: list[str], named: Any = None) -> dict[str, Any]:
        plain = [argument for argument in arguments if not re.match(r"\w+=", argument) or name == "Execute Command"]
        try:
            value = getattr(self, name.lower().replace(" ", "_"))(*plain)
        except Exception as error:
            return {"status": "FAIL", "error": f"{type(error).__name__}: {error}"}
        return {"status": "PASS", "return": "" if value is None else value}

    def execute_command(self, command: str) -> str | None:
        if command.startswith("$bin=@"):
            self.elf = Path(command[6:])
        elif command.startswith("include @"):
            self.board = Path(command[9:]).parent.name
        elif found := re.fullmatch(r"sysbus LoadBinary @(\S+) (\S+)", command):
            assert self.target is not None and self.target.write_memory is not None
            assert self.target.write_memory(int(found[2], 16), Path(found[1]).read_bytes())
        elif found := re.fullmatch(r"sysbus WriteByte (\S+) (\S+)", command):
            assert self.target is not None and self.target.write_memory is not None
            assert self.target.write_memory(int(found[1], 16), bytes([int(found[2], 16)]))
        elif command == "version":
            return "Renode, version 1.16.1"
        return None

    def create_terminal_tester(self, uart: str) -> None:
        assert uart.startswith("sysbus.")

    def start_emulation(self) -> None:
        board = load_board(self.board)
        self.target = QemuTarget(board.targets["qemu"], self.elf, board.slot, None)
        self.channel = self.target.start()

    def reset_emulation(self) -> None:
        if self.target is not None:
            self.target.stop()
        self.target, self.said = None, b""

    def write_line_to_uart(self, line: str) -> None:
        self.channel.write(line.encode() + b"\r")

    def wait_for_next_line_on_uart(self) -> dict[str, str]:
        end = time.monotonic() + 20
        while b"\n" not in self.said:
            if time.monotonic() > end:
                raise TimeoutError("Terminal tester failed!")
            self.said += self.channel.read(1.0)
        line, _, self.said = self.said.partition(b"\n")
        return {"line": line.decode().rstrip("\r")}

    def get_terminal_tester_report(self) -> str:
        return self.said.decode("ascii", "replace")

    def close(self) -> None:
        self.reset_emulation()
        self.server.shutdown()
        self.server.server_close()
