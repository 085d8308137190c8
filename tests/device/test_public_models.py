# SPDX-License-Identifier: Apache-2.0
"""Public models of others, on every emulated board: final outputs and every operator's, bit for bit the oracle's.

What a board is too small for is refused there, with the bytes that are missing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyhil import golden
from tinyhil.board import board_names, load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import DoesNotFit
from tinyhil.model import Model, load_model
from tinyhil.verdict import assert_golden

pytestmark = pytest.mark.needs("qemu", "arm-gcc", "oracle", "public-models")

MODELS = [
    "ad01_int8",
    "hello_world_int8",
    "kws_ref_model",
    "micro_speech_quantized",
    "pretrainedResnet_quant",
    "vww_96_int8",
]
TOO_LARGE = {"microbit": {"ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"}}
BOARDS = [name for name in board_names() if "qemu" in (board := load_board(name)).targets and board.bare_metal]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("board_name", BOARDS)
def test_a_public_model_is_exact_on_every_board(public_models: Path, board_name: str, name: str) -> None:
    loaded = load_model(public_models / f"{name}.tflite")
    if name in TOO_LARGE.get(board_name, ()):
        with pytest.raises(DoesNotFit) as caught:
            run(board_name, loaded)
        assert caught.value.missing_bytes > 0
    else:
        run(board_name, loaded)


def run(board_name: str, loaded: Model) -> None:
    image = build_image(load_board(board_name))
    with Device.open(load_board(board_name), "qemu", image, loaded) as opened:
        opened.load(loaded)
        assert_golden(opened, golden.golden_for(loaded))
