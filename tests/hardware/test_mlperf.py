# SPDX-License-Identifier: Apache-2.0
"""The MLPerf Tiny text language, reply by reply, and the runner itself where there is one."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import serial
from desk import Desk

from tinyhil.errors import MissingTool
from tinyhil.golden import golden_for
from tinyhil.model import Model, load_model
from tinyhil.model.writer import ModelWriter

LAP = re.compile(r"m-lap-us-(\d+)")


def identity_model(folder: Path, size: int, scale: float, zero_point: int) -> Model:
    """A RESHAPE: its int8 output is its input, so that each reply is known."""
    writer = ModelWriter()
    x, y = (writer.tensor(shape, scale=scale, zero_point=zero_point) for shape in ((1, size), (1, size, 1)))
    writer.operator("RESHAPE", [x], [y])
    path = folder / "identity.tflite"
    path.write_bytes(writer.finish([x], [y]))
    return load_model(path)


class Terminal:
    """The port as the runner has it: commands end with %, CR, LF and NUL do not count, m-ready ends a reply."""

    def __init__(self, path: str) -> None:
        self._port = serial.Serial(path, 115200, timeout=5)

    def ask(self, command: str) -> list[str]:
        self._port.write(f"{command}%".encode())
        lines: list[str] = []
        while True:
            raw = self._port.readline()
            assert raw.endswith(b"\r\n"), (command, lines, raw)
            lines.append(raw[:-2].decode())
            if "m-ready" in lines[-1]:
                assert lines[-1] == "m-ready"
                return lines[:-1]

    def load(self, data: bytes) -> None:
        """As the runner does: 31 bytes a command."""
        assert self.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        for at in range(0, len(data), 31):
            last = at + 31 >= len(data)
            assert self.ask(f"db {data[at : at + 31].hex()}") == (["m-load-done"] if last else [])

    def infer(self, command: str, count: int, warm_ups: int) -> str:
        """The results of an `infer`, whose other lines are checked."""
        replies = self.ask(command)
        laps = [int(LAP.fullmatch(line)[1]) for line in replies[3:5]]  # type: ignore[index]
        assert [*replies[:3], *replies[5:-1]] == [
            f"m-warmup-start-{warm_ups}",
            "m-warmup-done",
            f"m-infer-start-{count}",
            "m-infer-done",
        ]
        assert laps[1] > laps[0]
        return replies[-1]

    def close(self) -> None:
        self._port.close()


@pytest.fixture
def terminal_of(desk_of: Callable[..., Desk], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def make(benchmark: str, size: int = 12, scale: float = 1 / 256, zero_point: int = -128) -> Terminal:
        desk = desk_of()
        desk.flash_all(identity_model(tmp_path, size, scale, zero_point), benchmark)
        desk.rig.wait_ready()
        opened.append(Terminal(desk.rig.port))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


def test_a_board_that_starts_says_so_and_nothing_else(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of()
    with serial.Serial(desk.rig.port, 115200, timeout=10) as port:
        desk.flash_all()
        lines = [port.readline().decode() for _ in range(4)]
        port.timeout = 0.3
        assert lines == ["m-timestamp-mode-performance\r\n", "m-lap-us-0\r\n", "m-init-done\r\n", "m-ready\r\n"]
        assert port.read(1) == b""


@pytest.mark.parametrize("benchmark", ["kws01", "ic01", "vww01", "ad01"])
def test_a_declared_model_is_profiled_as_its_benchmark(terminal_of: Callable[..., Terminal], benchmark: str) -> None:
    terminal = terminal_of(benchmark)
    assert terminal.ask("name") == ["m-name-dut-[tinyhil]"]
    assert terminal.ask("profile") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        f"m-model-[{benchmark}]",
    ]


def test_every_command_is_answered_to_the_letter(terminal_of: Callable[..., Terminal]) -> None:
    terminal = terminal_of("ic01")
    (stamp,) = terminal.ask("timestamp")
    assert LAP.fullmatch(stamp)
    data = bytes([0, 1, 16, 48, 100, 127, 128, 200, 254, 255, 7, 9])
    terminal.load(data)
    assert terminal.ask("db print") == ["m-buffer-00-01-10-30-64-7f-80-c8", "m-buffer-fe-ff-07-09"]
    want = "m-results-[" + ",".join(f"{byte / 256:.3f}" for byte in data) + "]"
    assert terminal.infer("infer 3 2", 3, 2) == want
    assert terminal.ask("results") == [want]
    assert terminal.infer("infer 1 0", 1, 0) == want
    assert terminal.infer("infer 2", 2, 10) == want
    assert terminal.infer("infer", 1, 10) == want


ERRORS = {
    "bogus": "e-[Unknown command: bogus]",
    "bogus with words": "e-[Unknown command: bogus]",
    "infer 0": "e-[Inference iterations must be >0]",
    "infer -1": "e-[Inference iterations must be >0]",
    "infer x": "e-[Inference iterations must be >0]",
    "infer 1 -1": "e-[Inference warmup must be >=0]",
    "db": "e-[Command 'db' requires a subcommand]",
    "db load": "e-[Command 'db load' requires the # of bytes]",
    "db load 0": "e-[Command 'db load' must be >0 bytes]",
    "db load x": "e-[Command 'db load' must be >0 bytes]",
    "db 123": "e-[Insufficent number of hex digits]",
    "db 12zz": "e-[Invalid hex digit 'zz']",
    "db g0": "e-[Invalid hex digit 'g0']",
}


def test_every_error_is_answered_to_the_letter(terminal_of: Callable[..., Terminal]) -> None:
    terminal = terminal_of("ic01")
    terminal.load(bytes(12))
    for command, error in ERRORS.items():
        assert terminal.ask(command) == [error], command
    terminal.load(bytes(range(12)))
    assert terminal.ask("db ffff") == []  # what comes after the last byte is not looked at
    assert terminal.ask("db print")[0] == "m-buffer-00-01-02-03-04-05-06-07"


def test_a_keyword_model_gets_its_bytes_as_they_are(terminal_of: Callable[..., Terminal]) -> None:
    terminal = terminal_of("kws01")
    data = struct.pack("12b", -128, -127, -1, 0, 1, 127, *range(6))
    terminal.load(data)
    values = np.frombuffer(data, np.int8).astype(float)
    want = ",".join(f"{(value + 128) / 256:.3f}" for value in values)
    assert terminal.infer("infer 1 0", 1, 0) == f"m-results-[{want}]"


def test_an_anomaly_model_gets_floats_and_answers_with_its_error(terminal_of: Callable[..., Terminal]) -> None:
    scale, zero_point = 0.5, 3
    terminal = terminal_of("ad01", 6, scale, zero_point)
    values = np.array([0.0, 0.3, -1.2, 7.9, 100.0, -80.0], np.float32)
    terminal.load(values.tobytes())
    quantized = np.clip(np.round(values / scale) + zero_point, -128, 127)
    want = np.mean(np.square(values - (quantized - zero_point) * scale))
    assert terminal.infer("infer 1 0", 1, 0) == f"m-results-[{want:.3f}]"


def test_a_frame_host_and_a_terminal_take_turns(desk: Desk, tmp_path: Path) -> None:
    model = identity_model(tmp_path, 12, 1 / 256, -128)
    desk.flash_all(model, "ic01")
    for _ in range(2):
        with desk.open(model) as device:
            device.load(model)
            vector = [np.arange(12, dtype=np.int8).reshape(1, 12)]
            assert device.run(vector, checksums=True).outputs[0].ravel().tolist() == list(range(12))
        terminal = Terminal(desk.rig.port)
        terminal.load(bytes(12))
        assert terminal.infer("infer 1 0", 1, 0) == "m-results-[" + ",".join(["0.000"] * 12) + "]"
        terminal.close()
    assert desk.rig.programmed == []


# The launcher ---------------------------------------------------------------------------------------------------------
RUNNER = Path(__file__).with_name("runner")
SAMPLES = 5


@pytest.fixture
def data_set(digits: Model, tmp_path: Path) -> Path:
    """Samples of the digits, in the layout of the runner's data sets, as if they were the benchmark's."""
    golden = golden_for(digits)
    folder = tmp_path / "datasets" / "kws01"
    folder.mkdir(parents=True)
    rows = []
    for number in range(SAMPLES):
        vector = len(golden) - 1 - number
        name = f"sample{number}.bin"
        (folder / name).write_bytes(golden.inputs[0][vector].tobytes())
        rows.append(f"{name},10,{golden.outputs[0][vector].argmax()}")
    (folder / "y_labels.csv").write_text("\n".join(rows))
    return folder.parent


@pytest.mark.parametrize(("board", "mode"), [("native", "accuracy"), ("mps2_an386", "performance")])
def test_a_runner_that_the_user_names_runs_against_an_emulated_board(
    data_set: Path, digits: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, mode: str
) -> None:
    monkeypatch.delenv("TINYHIL_PLATFORMS")
    command = [sys.executable, "-m", "tinyhil", "mlperf", digits.path, "--benchmark", "kws01", "--runner", RUNNER]
    command += ["--dataset", data_set, "--board", board, "--mode", mode, "--out", tmp_path / "out"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads((tmp_path / "out" / "said.json").read_text())
    assert said["benchmark"] == "kws01"
    assert said["right"] == (SAMPLES if mode == "accuracy" else 1)
    assert said["seconds"] > 0


def test_a_runner_that_is_not_there_is_named(data_set: Path, digits: Model, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tinyhil", "mlperf", str(digits.path), "--benchmark", "kws01"]
    command += ["--runner", str(tmp_path), "--dataset", str(data_set), "--board", "native"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == MissingTool.exit_status
    assert "there is no MLPerf Tiny runner in" in done.stderr
