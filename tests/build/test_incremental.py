# SPDX-License-Identifier: Apache-2.0
"""Nothing unchanged is built twice, and nothing stale is ever used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tiny_firmware
from tinyhil.board import load_board
from tinyhil.build import Image, build_image

pytestmark = pytest.mark.needs("native")


def build(**options: Any) -> tuple[Image, list[str]]:
    """The image of the native board, and the sources that had to be compiled for it (the generated one aside)."""
    said: list[str] = []
    image = build_image(load_board("native"), progress=said.append, **options)
    compiled = [line.rpartition(": ")[2] for line in said if "compiled" in line]
    return image, sorted(name for name in compiled if name != "generated/build_info.cc")


def says(image: Image) -> str:
    done = subprocess.run([image.elf], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True)
    return done.stdout


def test_an_unchanged_image_is_found_without_building(firmware: Path) -> None:
    first, compiled = build()
    assert compiled
    second, compiled = build()
    assert second == first
    assert compiled == []


def test_the_image_knows_its_board_and_build_id(firmware: Path) -> None:
    image, _ = build()
    assert len(image.build_id) == 16
    assert says(image) == f"native {image.build_id} slot ADD SOFTMAX \n"


def test_a_changed_source_is_the_only_one_compiled_again(firmware: Path) -> None:
    before, _ = build()
    source = firmware / "kernels/reference/add.cc"
    source.write_text(source.read_text() + "// more\n")
    after, compiled = build()
    assert compiled == ["firmware/kernels/reference/add.cc"]
    assert after.build_id != before.build_id


def test_a_changed_header_recompiles_what_includes_it_directly_or_through_another(firmware: Path) -> None:
    build()
    header = firmware / "interpreter/resolver.h"
    header.write_text(header.read_text() + "// more\n")
    _, compiled = build()
    assert compiled == [
        "firmware/app/app.cc",
        "firmware/kernels/reference/add.cc",
        "firmware/kernels/reference/all_ops.cc",
        "firmware/kernels/reference/softmax.cc",
    ]


def test_going_back_to_an_earlier_state_builds_nothing(firmware: Path) -> None:
    first, _ = build()
    words = firmware / "app/words.h"
    text = words.read_text()
    words.write_text(text.replace('" "', '"_"'))
    changed, _ = build()
    assert "_" in says(changed)
    words.write_text(text)
    again, compiled = build()
    assert again == first
    assert compiled == []


def test_other_defines_are_another_build(firmware: Path) -> None:
    plain, everything = build()
    defined, compiled = build(defines={"PROBE": "1"})
    assert compiled == everything
    assert defined.build_id != plain.build_id
    assert "-DPROBE=1" in defined.flags


def test_sanitizers_are_another_build(firmware: Path) -> None:
    plain, _ = build()
    sanitized, _ = build(sanitize=True)
    assert sanitized.build_id != plain.build_id
    assert b"AddressSanitizer" in sanitized.elf.read_bytes() or b"__asan" in sanitized.elf.read_bytes()


def test_another_compiler_of_the_same_version_is_another_build(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = build()
    compiler = shutil.which("g++")
    wrapper = tmp_path / "bin" / "g++"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {compiler} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
    other, _ = build()
    assert other.compiler == plain.compiler
    assert other.build_id != plain.build_id


def test_the_same_sources_in_another_place_are_not_built_again(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = build()
    tiny_firmware.make_tree(tmp_path / "other clone")
    tiny_firmware.use_tree(tmp_path / "other clone", monkeypatch)
    there, compiled = build()
    assert there == here
    assert compiled == []


def test_a_bundled_image_holds_its_model_and_the_operators_asked_for(firmware: Path, tmp_path: Path) -> None:
    model = tmp_path / 'a "model".tflite'
    model.write_text("TFL3 bytes")
    image, _ = build(model=model, ops=["SOFTMAX"])
    assert image.kind == "bundled"
    assert image.slot is None
    assert says(image) == f"native {image.build_id} bundled SOFTMAX TFL3 bytes\n"


def test_a_bundled_image_hangs_on_what_its_model_holds_not_on_where_it_lies(firmware: Path, tmp_path: Path) -> None:
    model, copy = tmp_path / "a.tflite", tmp_path / "b.tflite"
    model.write_text("one")
    copy.write_text("one")
    first, _ = build(model=model)
    same, compiled = build(model=copy)
    assert same == first
    assert compiled == []
    model.write_text("two")
    changed, compiled = build(model=model)
    assert changed.build_id != first.build_id
    assert compiled == ["generated/model.S"]
    assert says(changed).endswith(" two\n")


def test_a_custom_operator_of_an_extra_source_is_registered(firmware: Path, tmp_path: Path) -> None:
    source = tmp_path / "mine.cc"
    source.write_text(tiny_firmware.operator("Mine"))
    image, _ = build(extra_sources=[source])
    assert says(image) == f"native {image.build_id} slot ADD Mine SOFTMAX \n"


def test_a_damaged_image_is_built_again(firmware: Path) -> None:
    image, _ = build()
    whole = image.elf.read_bytes()
    image.elf.write_bytes(whole[:1000])
    again, compiled = build()
    assert again == image
    assert compiled == []
    assert says(again)


@pytest.mark.parametrize("damage", [b"", b"not an object at all"])
def test_a_damaged_object_is_compiled_again(firmware: Path, cache: Path, damage: bytes) -> None:
    image, _ = build()
    shutil.rmtree(image.elf.parent)
    (victim,) = (cache / "build" / "objects").glob("*/firmware/kernels/reference/softmax.o")
    victim.write_bytes(damage)
    again, compiled = build()
    assert "firmware/kernels/reference/softmax.cc" in compiled
    assert says(again)


def test_two_builds_at_once_make_one_image(firmware: Path, cache: Path) -> None:
    images: list[Image] = []
    threads = [threading.Thread(target=lambda: images.append(build()[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(images) == 4
    assert len(set(images)) == 1
    assert list((cache / "build" / "work").iterdir()) == []


_BUILD_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from tinyhil import assets
assets._root = lambda: Path(sys.argv[1])
from tinyhil.board import load_board
from tinyhil.build import build_image
print(build_image(load_board("native"), progress=lambda line: print(line, flush=True)).build_id)
"""


def test_a_killed_build_leaves_nothing_that_a_later_one_would_use(firmware: Path, cache: Path) -> None:
    command = [sys.executable, "-c", _BUILD_IN_ANOTHER_PROCESS, str(firmware.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "compiled 1/" in process.stdout.readline()
        process.kill()
    assert not (cache / "build" / "images").exists()
    image, _ = build()
    assert says(image)


def test_leavings_of_killed_builds_are_cleared_away(firmware: Path, cache: Path) -> None:
    left = cache / "build" / "work" / "left"
    left.mkdir(parents=True)
    (left / "1.o").write_text("half")
    os.utime(left, (1, 1))
    build()
    assert not left.exists()
