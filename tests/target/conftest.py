# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyhil import requirements
from tinyhil.board import Board, load_board
from tinyhil.build import Image, build_image
from tinyhil.device import Device
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model


@dataclass(frozen=True)
class Rig:
    """One way of running the digits."""

    board: Board
    target: str
    image: Image
    model: Model

    def open(self, **options: Any) -> Device:
        device = Device.open(self.board, self.target, self.image, self.model, **options)
        device.load(self.model)
        return device

    @property
    def vector(self) -> list[np.ndarray]:
        return [np.zeros(tensor.shape, tensor.dtype) for tensor in self.model.input_tensors]


@pytest.fixture(scope="session")
def digits() -> Model:
    return load_model(own_model("digits"))


@pytest.fixture(scope="session")
def native_rig(digits: Model) -> Rig:
    if reason := requirements.missing("native"):
        pytest.skip(reason)
    board = load_board("native")
    return Rig(board, "native", build_image(board), digits)


@pytest.fixture(scope="session")
def qemu_rig(digits: Model) -> Rig:
    if reason := requirements.missing("qemu") or requirements.missing("arm-gcc"):
        pytest.skip(reason)
    board = load_board("mps2_an386")
    return Rig(board, "qemu", build_image(board), digits)


@pytest.fixture(params=["native", "qemu"])
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each target that is there, in turn."""
    found: Rig = request.getfixturevalue(f"{request.param}_rig")
    return found


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """gone(pid): waits for a process to end. One that nobody has asked after yet (a zombie) has ended."""

    def ended(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    def wait(pid: int) -> bool:
        end = time.monotonic() + 20
        while not ended(pid) and time.monotonic() < end:
            time.sleep(0.02)
        return ended(pid)

    return wait


@pytest.fixture
def shortly() -> Iterator[Callable[..., None]]:
    """shortly(f, ...): calls f in another thread, soon."""
    timers = []

    def start(function: Callable[..., object], *arguments: object) -> None:
        timers.append(threading.Timer(0.3, function, arguments))
        timers[-1].start()

    yield start
    for timer in timers:
        timer.join()
