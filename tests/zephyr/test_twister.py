# SPDX-License-Identifier: Apache-2.0
"""Twister's device carries the text language, whichever twister it is; its build folder says what was built."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_zephyr import ELF

from tinyhil.errors import BuildFailed, TargetHung
from tinyhil.zephyr.built import image_in, model_in
from tinyhil.zephyr.twister import DutLines

START = ["m-init-done", "m-ready"]


class TwisterHarnessTimeoutException(Exception):
    """Named as twister's own."""


class Iterated:
    """The `dut` of Zephyr 3.4."""

    def __init__(self, lines: list[str]) -> None:
        self.sent: list[bytes] = []
        self.iter_stdout = iter(lines)

    def write(self, data: bytes) -> None:
        self.sent.append(data)


class Read:
    """The `dut` of newer ones."""

    def __init__(self, lines: list[str]) -> None:
        self.sent: list[bytes] = []
        self._lines = list(lines)

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def readline(self, timeout: float, print_output: bool) -> str:
        if not self._lines:
            raise TwisterHarnessTimeoutException("read timeout")
        return self._lines.pop(0) + "\r"


@pytest.mark.parametrize("kind", [Iterated, Read])
def test_an_answer_is_the_lines_up_to_ready(kind):
    dut = kind([*START, "hil mem a=1 *0", "", "hil mem b=2 *0", "m-ready", "m-ready"])
    lines = DutLines(dut)
    assert lines.ask("hil mem *?") == ["hil mem a=1 *0", "hil mem b=2 *0"]
    assert dut.sent == [b"hil mem *?\n"]


@pytest.mark.parametrize("kind", [Iterated, Read])
def test_a_device_that_says_nothing_more_hangs(kind):
    lines = DutLines(kind(START))
    with pytest.raises(TargetHung, match="twister"):
        lines.ask("hil mem *?")


def test_a_defect_of_the_adapter_is_no_hanging_device():
    class Broken(Read):
        def readline(self, timeout: float, print_output: bool) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        DutLines(Broken([]))


def test_a_model_is_found_from_the_applications_folder(tmp_path):
    (tmp_path / "CMakeCache.txt").write_text(
        "CMAKE_HOME_DIRECTORY:INTERNAL=/clone/zephyr_app\nTINYHIL_MODEL:UNINITIALIZED=../models/m.tflite\n"
    )
    assert model_in(tmp_path) == Path("/clone/zephyr_app/../models/m.tflite")


def test_a_model_of_kconfig_is_found_too_and_none_is_none(tmp_path):
    (tmp_path / "CMakeCache.txt").write_text("CMAKE_HOME_DIRECTORY:INTERNAL=/clone/app\nTINYHIL_MODEL:STRING=\n")
    assert model_in(tmp_path) is None
    (tmp_path / "zephyr").mkdir()
    (tmp_path / "zephyr" / ".config").write_text('CONFIG_TINYHIL_MODEL="/models/m.tflite"\n')
    assert model_in(tmp_path) == Path("/models/m.tflite")


def test_a_folder_without_an_image_or_with_somebody_elses_is_refused(tmp_path):
    with pytest.raises(BuildFailed, match="holds no Zephyr image"):
        image_in(tmp_path)
    (tmp_path / "zephyr").mkdir()
    (tmp_path / "zephyr" / "zephyr.elf").write_bytes(ELF)
    with pytest.raises(BuildFailed, match="not tinyhil's application"):
        image_in(tmp_path)
