# SPDX-License-Identifier: Apache-2.0
"""What cannot be built is refused with what the user needs to know."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.errors import BadInput, BuildFailed, MissingTool, OutputUnwritable, UnsupportedOperator
from tinyhil.toolchain import find_tool


def fake_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "tool", "package"),
    [("mps2_an386", "arm-none-eabi-g++", "gcc-arm-none-eabi"), ("native", "g++", "g++")],
)
def test_a_missing_compiler_is_named_with_the_command_that_installs_it(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, tool: str, package: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(MissingTool) as caught:
        build_image(load_board(name))
    assert caught.value.exit_status == 22
    assert tool in caught.value.message
    assert "apt-get install" in caught.value.next_step
    assert package in caught.value.next_step


def test_a_compiler_that_does_not_run_is_a_missing_tool(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_program(tmp_path / "bin", "g++", "exit 127")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MissingTool, match="does not run"):
        find_tool("g++")


@pytest.mark.parametrize("name", ["arm-none-eabi-g++", "g++", "qemu-system-arm"])
def test_a_version_is_asked_for_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked = tmp_path / "asked"
    fake_program(tmp_path / "bin", name, f"echo x >> {asked}; echo {name} version 1.0; echo more")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert find_tool(name).version == f"{name} version 1.0"
    assert find_tool(name) == find_tool(name)
    assert asked.read_text() == "x\n"


@pytest.mark.needs("native")
def test_a_compile_error_names_the_file_and_shows_the_compilers_words(firmware: Path) -> None:
    source = firmware / "kernels/reference/add.cc"
    source.write_text(source.read_text() + "int f() { return wrong_word; }\n")
    with pytest.raises(BuildFailed) as caught:
        build_image(load_board("native"))
    assert caught.value.exit_status == 23
    assert "firmware/kernels/reference/add.cc" in caught.value.message
    assert "native" in caught.value.message
    assert "wrong_word" in caught.value.details
    assert str(source) in caught.value.next_step


@pytest.mark.needs("native")
def test_a_warning_is_an_error(firmware: Path) -> None:
    source = firmware / "kernels/reference/add.cc"
    source.write_text(source.read_text() + "signed char f(int x) { return x; }\n")
    with pytest.raises(BuildFailed, match="conversion"):
        build_image(load_board("native"))


@pytest.mark.needs("native")
def test_a_link_error_names_the_symbol(firmware: Path) -> None:
    source = firmware / "app/app.cc"
    source.write_text("void Nowhere();\n" + source.read_text().replace("port::Init();", "port::Init(); Nowhere();"))
    with pytest.raises(BuildFailed, match=r"does not link.*Nowhere"):
        build_image(load_board("native"))


@pytest.mark.needs("native")
def test_after_a_failure_the_next_build_works(firmware: Path) -> None:
    source = firmware / "app/app.cc"
    text = source.read_text()
    source.write_text("#error no\n")
    with pytest.raises(BuildFailed):
        build_image(load_board("native"))
    source.write_text(text)
    assert build_image(load_board("native")).elf.is_file()


@pytest.mark.needs("native")
@pytest.mark.parametrize(("option", "value"), [("engine", "tflmm"), ("kernels", "referense")])
def test_an_unknown_engine_or_kernel_set_is_refused_by_name(firmware: Path, option: str, value: str) -> None:
    with pytest.raises(BuildFailed, match=value):
        build_image(load_board("native"), **{option: value})  # type: ignore[arg-type]


@pytest.mark.needs("native")
def test_an_operator_that_the_kernel_set_lacks_is_refused(firmware: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"TFL3")
    with pytest.raises(UnsupportedOperator, match="LSTM") as caught:
        build_image(load_board("native"), model=model, ops=["ADD", "LSTM"])
    assert "SOFTMAX" in caught.value.next_step


@pytest.mark.needs("native")
def test_a_model_that_cannot_be_read_is_refused(firmware: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.tflite"):
        build_image(load_board("native"), model=tmp_path / "absent.tflite")


@pytest.mark.needs("arm-gcc")
def test_sanitizers_on_bare_metal_are_refused(firmware: Path) -> None:
    with pytest.raises(BuildFailed, match="mps2_an386"):
        build_image(load_board("mps2_an386"), sanitize=True)


@pytest.mark.needs("native")
def test_a_cache_that_cannot_be_written_is_named(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TINYHIL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputUnwritable) as caught:
        build_image(load_board("native"))
    assert caught.value.exit_status == 50
    assert str(tmp_path / "file" / "cache") in caught.value.message
    assert "TINYHIL_CACHE" in caught.value.next_step


def test_a_disk_that_fills_up_while_compiling_is_not_blamed_on_the_source(
    firmware: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        'test "$1" = --version && echo g++ 1 && exit 0\n'
        'echo "error: cannot write x.o: No space left on device" >&2\nexit 1'
    )
    fake_program(tmp_path / "bin", "g++", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(OutputUnwritable, match="No space left on device"):
        build_image(load_board("native"))
    assert list((cache / "build" / "work").iterdir()) == []


def test_a_compiler_without_its_headers_is_a_missing_tool(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        'test "$1" = --version && echo arm-none-eabi-g++ 1 && exit 0\n'
        'echo "a.cc:1:10: fatal error: string.h: No such file or directory" >&2\nexit 1'
    )
    fake_program(tmp_path / "bin", "arm-none-eabi-g++", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MissingTool) as caught:
        build_image(load_board("mps2_an386"))
    assert "libnewlib-arm-none-eabi" in caught.value.next_step


@pytest.mark.needs("native")
def test_a_complete_cache_serves_without_being_written(firmware: Path, cache: Path) -> None:
    image = build_image(load_board("native"))
    before = sorted((path, path.stat().st_mtime_ns) for path in cache.rglob("*"))
    assert build_image(load_board("native")) == image
    assert sorted((path, path.stat().st_mtime_ns) for path in cache.rglob("*")) == before


@pytest.mark.needs("native")
def test_nothing_is_written_into_firmware_or_platforms(firmware: Path) -> None:
    def files() -> list[tuple[Path, int]]:
        return sorted((path, path.stat().st_mtime_ns) for path in firmware.parent.rglob("*"))

    before = files()
    build_image(load_board("native"))
    assert files() == before
