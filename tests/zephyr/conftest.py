# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_zephyr import ELF, SLOT, Programs, make_workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A workspace of Zephyr 3.4 that TINYHIL_WEST_WORKSPACE names."""
    monkeypatch.delenv("ZEPHYR_BASE", raising=False)
    topdir = make_workspace(tmp_path / "workspace")
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir))
    return topdir


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    """A CMake that remembers the build id, and a ninja that makes an image of it and takes a hundred steps."""
    for name in ("ZEPHYR_TOOLCHAIN_VARIANT", "GNUARMEMB_TOOLCHAIN_PATH", "ZEPHYR_SDK_INSTALL_DIR", "USE_CCACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TINYHIL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bin"
    folder.mkdir()
    made = Programs(folder, tmp_path / "calls.log")
    elf = tmp_path / "nothing.elf"
    elf.write_bytes(ELF)
    header = tmp_path / "include" / "generated" / "devicetree_generated.h"
    header.parent.mkdir(parents=True)
    header.write_text(SLOT)
    made.make(
        "cmake",
        'while [ $# -gt 0 ]; do case "$1" in -B) out=$2;; -DTINYHIL_BUILD_ID=*) id=${1#*=};; esac; shift; done\n'
        'mkdir -p "$out/zephyr"; echo "$id" >"$out/id"; touch "$out/CMakeCache.txt"',
    )
    made.make(
        "ninja",
        f'cp -r "{tmp_path}/include" "$2/zephyr/"; cat "{elf}" "$2/id" >"$2/zephyr/zephyr.elf"\n'
        'echo "99/100 Building C object zephyr/CMakeFiles/zephyr.dir/main.c.obj"\n'
        'echo "100/100 Linking C executable zephyr/zephyr.elf"',
    )
    made.make("dtc")
    made.make("arm-none-eabi-gcc")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return made
