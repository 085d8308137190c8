# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the marker `needs`, the folder of public models, a build cache that outlives a run.

`@pytest.mark.needs("qemu", "oracle")` skips a test, with the reason shown, where something is missing;
`--hil-require qemu` makes it fail there instead.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tinyhil import requirements

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_MODELS = Path(os.environ.get("TINYHIL_TEST_MODELS", ROOT.parent / "shared" / "models"))


def _public_models() -> str:
    if any(PUBLIC_MODELS.glob("*.tflite")):
        return ""
    return f"{PUBLIC_MODELS} holds no .tflite model (TINYHIL_TEST_MODELS says where they are)"


requirements.LOOKS["public-models"] = _public_models
requirements.LOOKS["sklearn"] = requirements.package("sklearn")
requirements.LOOKS["browser"] = requirements.program("chromedriver")
requirements.LOOKS["git"] = requirements.program("git")
requirements.LOOKS["west"] = requirements.package("west")
requirements.LOOKS["cmake"] = requirements.program("cmake")
requirements.LOOKS["dtc"] = requirements.program("dtc")


def pytest_configure(config: pytest.Config) -> None:
    # A job in the background of a shell ignores Ctrl-C, and so would all that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "needs(*names): skip, with the reason, where one of these is missing")
    # Without options the device tests run on the host and on every board that QEMU has, with the digits.
    option = config.option
    if not option.hil_board:
        from tinyhil.board import board_names, load_board

        everyday = {"native", "qemu"}
        boards = [board for board in map(load_board, board_names()) if next(iter(board.targets)) in everyday]
        # What runs Zephyr alone is run by the tests of Zephyr.
        option.hil_board = [board.name for board in boards if (option.hil_firmware or "bare_metal") in board.firmwares]
    if not option.hil_model:
        from tinyhil.matrix import own_model

        option.hil_model = [str(own_model("digits"))]


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = {name.strip() for value in item.config.getoption("--hil-require") for name in value.split(",")}
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if reason := requirements.missing(name):
                if name in required:
                    pytest.fail(f"{reason} (required by --hil-require {name})", pytrace=False)
                pytest.skip(f"needs {name}: {reason}")


@pytest.fixture(scope="session")
def public_models() -> Path:
    """The folder of public models; the test is skipped where it is absent."""
    if reason := _public_models():
        pytest.skip(reason)
    return PUBLIC_MODELS
