# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from link_host import LinkHost, build_link_host

from tinyhil import assets
from tinyhil.board import Board, load_board
from tinyhil.build import Image, build_image
from tinyhil.link.channel import Channel
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model
from tinyhil.slot import slot_image
from tinyhil.target.native import NativeTarget


@pytest.fixture(scope="session")
def link_host_program() -> Path:
    return build_link_host(assets.cache_dir() / "tests")


@pytest.fixture(scope="module")
def firmware(link_host_program: Path) -> Iterator[LinkHost]:
    """The firmware's end of the link."""
    host = LinkHost(link_host_program)
    yield host
    host.close()


@pytest.fixture(scope="session")
def native_board() -> Board:
    return load_board("native")


@pytest.fixture(scope="session")
def sanitized_image(native_board: Board) -> Image:
    """The whole firmware for the host, under the address and undefined-behaviour sanitizers."""
    return build_image(native_board, sanitize=True)


@pytest.fixture(scope="session")
def digits() -> Model:
    return load_model(own_model("digits"))


@pytest.fixture
def channel(sanitized_image: Image, digits: Model) -> Iterator[Channel]:
    """The wire of a running firmware that has the digits in its slot."""
    target = NativeTarget(sanitized_image.elf, slot_image(digits.data))
    yield target.start()
    target.stop()
    assert "Sanitizer" not in target.last_words()
