# SPDX-License-Identifier: Apache-2.0
"""The device tests under twister's pytest harness: its build folder has image and model, its `dut` is the device."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DEVICE_TESTS = Path(__file__).resolve().parents[2] / "tests" / "device"
VECTORS = 16

sys.path.insert(0, str(DEVICE_TESTS))
pytest.register_assert_rewrite("test_bad_input", "test_golden", "test_memory")


def pytest_addoption(parser):
    parser.addoption("--cmdopt", help="the build folder, as twister of Zephyr 3.3 names it")


@pytest.fixture(scope="session")
def build_dir(request):
    option = request.config.getoption
    named = option("build_dir", None) or option("--cmdopt")
    if not named:
        pytest.skip("no build folder: twister gives one")
    return Path(named)


@pytest.fixture(scope="session")
def image(build_dir):
    from tinyhil.zephyr.built import image_in

    return image_in(build_dir)


@pytest.fixture(scope="session")
def board(image):
    from tinyhil.board import load_board

    return load_board(image.board_name)


@pytest.fixture(scope="session")
def model(build_dir):
    from tinyhil.model import load_model
    from tinyhil.zephyr.built import model_in

    path = model_in(build_dir)
    assert path is not None, "the image has no model: build it with TINYHIL_MODEL"
    return load_model(path)


@pytest.fixture(scope="session")
def golden(model):
    from tinyhil.golden import golden_for

    stored = golden_for(model)
    return stored.subset(range(min(VECTORS, len(stored))))


@pytest.fixture
def device(request, board, image, model):
    """Twister's `dut`; where this twister has none, the image on the board's own target."""
    if request.config.getoption("twister_harness", False):
        from tinyhil.text_device import TextDevice
        from tinyhil.zephyr.twister import DutLines

        opened = TextDevice(board, image, DutLines(request.getfixturevalue("dut")))
        opened.load(model)
        yield opened
        return
    from tinyhil.device import Device
    from tinyhil.runner import default_target

    with Device.open(board, default_target(board), image, model) as opened:
        opened.load(model)
        yield opened
