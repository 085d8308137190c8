# SPDX-License-Identifier: Apache-2.0
"""What a test may need and a machine may lack, by the names that `--hil-require` takes.

Where one is missing a test is skipped with the reason; with `--hil-require NAME` it fails instead.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable

Look = Callable[[], str]
"""Returns why it is not there; empty where it is."""


def program(name: str) -> Look:
    return lambda: "" if shutil.which(name) else f"{name} is not installed (see tinyhil doctor)"


def package(name: str) -> Look:
    return lambda: "" if importlib.util.find_spec(name) else f"the Python package {name} is not installed"


def renode() -> str:
    from tinyhil.errors import MissingTool
    from tinyhil.target.renode import find_renode

    try:
        find_renode()
    except MissingTool as error:
        return error.message
    return ""


def zephyr() -> str:
    from tinyhil.errors import MissingTool
    from tinyhil.zephyr.tools import find_tools
    from tinyhil.zephyr.workspace import find_workspace

    try:
        find_workspace()
        find_tools()
    except MissingTool as error:
        return error.message
    return ""


def tflm() -> str:
    from tinyhil.errors import MissingTool
    from tinyhil.upstream import find_tflm

    try:
        find_tflm()
    except MissingTool as error:
        return error.message
    return ""


def cmsis_nn() -> str:
    from tinyhil.errors import MissingTool
    from tinyhil.upstream import find_cmsis_nn

    try:
        find_cmsis_nn()
    except MissingTool as error:
        return error.message
    return ""


LOOKS: dict[str, Look] = {
    "arm-gcc": program("arm-none-eabi-g++"),
    "qemu": program("qemu-system-arm"),
    "native": program("g++"),
    "renode": renode,
    "zephyr": zephyr,
    "robot": package("robot"),
    "labgrid": package("labgrid"),
    "oracle": package("tflite_micro"),
    "tflm": tflm,
    "cmsis_nn": cmsis_nn,
    "tensorflow": package("tensorflow"),
    "onnx2tf": package("onnx2tf"),
    "litert_torch": package("litert_torch"),
}
"""A test suite adds its own: LOOKS["my-fixture-rig"] = function."""


def missing(name: str) -> str:
    """Why `name` is not there, empty where it is. Raises KeyError for a name nobody knows."""
    return LOOKS[name]()
