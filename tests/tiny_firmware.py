# SPDX-License-Identifier: Apache-2.0
"""A firmware tree small enough to rebuild in a test: the real ports, and a few lines of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyhil import assets

REAL_FIRMWARE = assets.firmware_dir()
REAL_PLATFORMS = assets.platforms_dir()

RESOLVER = """
#pragma once
#include <stdint.h>
namespace tinyhil {
struct OpRegistration { const char* name; };
extern const OpRegistration* const kOps[];
extern const uint32_t kOpCount;
}  // namespace tinyhil
"""
OPS = """
#include "interpreter/resolver.h"
namespace tinyhil {
extern const OpRegistration kOp_ADD;
extern const OpRegistration kOp_SOFTMAX;
}  // namespace tinyhil
"""
ALL_OPS = """
#include "kernels/ops.h"
namespace tinyhil {
const OpRegistration* const kOps[] = {&kOp_ADD, &kOp_SOFTMAX};
const uint32_t kOpCount = 2;
}  // namespace tinyhil
"""
BUILD_INFO = """
namespace tinyhil {
extern const char kBoardName[], kBuildId[], kVersion[], kEngine[], kKernels[], kImageKind[], kCompiler[];
}  // namespace tinyhil
"""
# Says on the UART who it is, which operators it has, and how much model is linked in; then ends by waiting for input.
APP = """
#include <string.h>
#include "app/build_info.h"
#include "app/words.h"
#include "interpreter/resolver.h"
#include "ports/port.h"
extern const uint8_t tinyhil_bundled_model[];
extern const uint32_t tinyhil_bundled_model_bytes;
namespace tinyhil {
namespace port { void ReportFault(const Fault&) {} }
static void Say(const char* text) {
  port::Write(reinterpret_cast<const uint8_t*>(text), static_cast<uint32_t>(strlen(text)));
}
[[noreturn]] void AppMain() {
  port::Init();
  Say(kBoardName); Say(kSpace); Say(kBuildId); Say(kSpace); Say(kImageKind);
  for (uint32_t i = 0; i < kOpCount; ++i) { Say(kSpace); Say(kOps[i]->name); }
  Say(kSpace);
  port::Write(tinyhil_bundled_model, tinyhil_bundled_model_bytes);
  Say("\\n");
  for (;;) port::ReadByte();
}
}  // namespace tinyhil
"""
WORDS = 'namespace tinyhil { constexpr char kSpace[] = " "; }\n'


def operator(name: str) -> str:
    return f'#include "kernels/ops.h"\nnamespace tinyhil {{ extern const OpRegistration kOp_{name} = {{"{name}"}}; }}\n'


def make_tree(root: Path, *, app: str = APP) -> Path:
    """Writes the tree under `root`/firmware and returns that folder."""
    firmware = root / "firmware"
    files = {
        "interpreter/resolver.h": RESOLVER,
        "kernels/ops.h": OPS,
        "kernels/reference/all_ops.cc": ALL_OPS,
        "kernels/reference/add.cc": operator("ADD"),
        "kernels/reference/softmax.cc": operator("SOFTMAX"),
        "engine/builtin.cc": "",
        "app/build_info.h": BUILD_INFO,
        "app/words.h": WORDS,
        "app/app.cc": app,
    }
    for name, text in files.items():
        path = firmware / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (firmware / "link").mkdir()
    (firmware / "ports").symlink_to(REAL_FIRMWARE / "ports")
    (root / "platforms").symlink_to(REAL_PLATFORMS)
    return firmware


def use_tree(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes tinyhil take firmware and boards from `root`."""
    monkeypatch.setattr(assets, "_root", lambda: root)
