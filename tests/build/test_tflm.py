# SPDX-License-Identifier: Apache-2.0
"""The engine tflm where TFLite Micro is at hand: what is linked, what a record says of it, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinyhil.board import load_board
from tinyhil.build import Image, build_image
from tinyhil.device import Device
from tinyhil.elf import symbol_sizes
from tinyhil.errors import ArenaOverflow, MalformedModel, TinyhilError, UnsupportedOperator
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model
from tinyhil.model.graph import OptionValue
from tinyhil.model.writer import ModelWriter
from tinyhil.runner import image_identity
from tinyhil.upstream import find_tflm

pytestmark = pytest.mark.needs("arm-gcc", "tflm")

BOARD = "mps2_an386"


@pytest.fixture(scope="module")
def digits() -> Model:
    return load_model(own_model("digits"))


@pytest.fixture(scope="module")
def image() -> Image:
    return build_image(load_board(BOARD), engine="tflm")


def test_a_warm_build_compiles_nothing(image: Image) -> None:
    said: list[str] = []
    assert build_image(load_board(BOARD), engine="tflm", progress=said.append) == image
    assert said == []


def test_the_image_names_the_revisions_it_was_made_of(image: Image) -> None:
    upstream = image_identity(image)["upstream"]
    assert upstream["tflite-micro"] == find_tflm().root.revision
    assert set(upstream) == {"tflite-micro", "flatbuffers", "gemmlowp", "ruy"}


def test_a_bundled_image_links_only_the_operators_it_registers(digits: Model) -> None:
    ops = sorted({op.name for op in digits.operators})
    image = build_image(load_board(BOARD), engine="tflm", model=Path(digits.path), ops=ops)
    names = {symbol.name for symbol in symbol_sizes(image.elf)}
    assert any("Register_CONV_2D" in name for name in names)
    assert not any("Register_TANH" in name or "Register_SVDF" in name for name in names)


def test_an_operator_that_the_engine_does_not_register_is_refused_at_build_time(digits: Model) -> None:
    with pytest.raises(UnsupportedOperator, match="WHILE"):
        build_image(load_board(BOARD), engine="tflm", model=Path(digits.path), ops=["WHILE"])


@pytest.mark.needs("qemu")
@pytest.mark.parametrize("arena_bytes", [16, 512, 1024, 2048])
def test_an_arena_that_is_too_small_is_refused_with_the_bytes_that_are_missing(
    image: Image, digits: Model, arena_bytes: int
) -> None:
    with Device.open(load_board(BOARD), "qemu", image, digits) as device:
        with pytest.raises(ArenaOverflow, match="at least") as caught:
            device.load(digits, arena_bytes)
        assert caught.value.available_bytes == arena_bytes
        assert caught.value.missing_bytes > 0
        assert device.load(digits).arena_used >= caught.value.needed_bytes  # and it goes on working


def refusal(image: Image, data: bytes) -> TinyhilError:
    """What the device says of a file that the host would not have sent."""
    sent = load_model(own_model("digits"))
    object.__setattr__(sent, "data", data)
    with Device.open(load_board(BOARD), "qemu", image, sent) as device, pytest.raises(TinyhilError) as caught:
        device.load(sent)
    return caught.value


@pytest.mark.needs("qemu")
def test_a_malformed_model_is_refused_before_tflite_micro_sees_it(image: Image, digits: Model) -> None:
    data = bytearray(digits.data)
    root = int.from_bytes(data[:4], "little")
    data[root : root + 4] = (0x7FFFFFFF).to_bytes(4, "little")  # the way to its vtable
    assert isinstance(refusal(image, bytes(data)), MalformedModel)


def calling(subgraph: int, *, nested: bool = False) -> bytes:
    """Calls that subgraph of its two."""
    writer = ModelWriter()
    start = writer.subgraph()
    if nested:
        start.operator("CALL_ONCE", [], [], init_subgraph_index=start.index)
    x, y = (writer.tensor((4,), scale=1.0) for _ in range(2))
    writer.operator("CALL_ONCE", [], [], init_subgraph_index=subgraph)
    writer.operator("ADD", [x, x], [y])
    return writer.finish([x], [y])


def holding(*names: dict[str, OptionValue]) -> bytes:
    """Has a variable of each name; () is none."""
    writer = ModelWriter()
    x, y = (writer.tensor((4,), scale=1.0) for _ in range(2))
    for options in names:
        writer.operator("VAR_HANDLE", [], [writer.tensor((), "resource")], **options)
    writer.operator("ADD", [x, x], [y])
    return writer.finish([x], [y])


@pytest.mark.needs("qemu")
@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (calling(0), MalformedModel, r"subgraphs\[0\].operators\[0\].init_subgraph_index: no such subgraph to call"),
        (calling(2), MalformedModel, "no such subgraph to call"),
        (calling(1, nested=True), UnsupportedOperator, r"subgraphs\[1\].operators\[0\]: a call inside a called"),
        (holding({"shared_name": ()}), MalformedModel, "a variable needs a name"),
        (holding({"shared_name": "endless"}).replace(b"endless\0", b"endless!"), MalformedModel, "without an end"),
        (
            holding({"shared_name": "a", "container": ()}, {"shared_name": "b", "container": "c"}),
            UnsupportedOperator,
            "container",
        ),
    ],
    ids=["itself", "none", "nested", "nameless", "endless", "containers"],
)
def test_state_that_would_lead_tflite_micro_astray_is_refused(
    image: Image, data: bytes, error: type[TinyhilError], words: str
) -> None:
    told = refusal(image, data)
    assert isinstance(told, error)
    assert re.search(words, told.message)


@pytest.mark.needs("qemu")
def test_a_model_with_a_subgraph_that_is_not_the_first_is_checked_whole(image: Image) -> None:
    writer = ModelWriter()
    spare = writer.subgraph()
    spare.operator("WHILE", [], [])
    x, y = (writer.tensor((4,), scale=1.0) for _ in range(2))
    writer.operator("ADD", [x, x], [y])
    told = refusal(image, writer.finish([x], [y]))
    assert isinstance(told, UnsupportedOperator)
    assert "subgraphs[1].operators[0]" in told.message
