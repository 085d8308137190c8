# SPDX-License-Identifier: Apache-2.0
"""What lies in a Zephyr build folder: the image, and what it is, whoever built it (tinyhil, west, twister)."""

from __future__ import annotations

import re
from pathlib import Path

from tinyhil.board import Region
from tinyhil.build import Image
from tinyhil.errors import BuildFailed

# Of firmware/app/build_info.h.
_INFO = ("kBoardName", "kBuildId", "kImageKind", "kCompiler")

# The port's own memories where Kconfig gives their sizes: firmware/ports/zephyr/memory.cc
_ARENA = "_ZN7tinyhil4port12_GLOBAL__N_15arenaE"
_SLOT = "_ZN7tinyhil4port12_GLOBAL__N_14slotE"


def elf_in(folder: Path) -> Path:
    """The linked image. Raises BuildFailed where there is none."""
    for name in ("zephyr.exe", "zephyr.elf"):  # a host's program; beside it its .elf may be half linked
        if (folder / "zephyr" / name).is_file():
            return folder / "zephyr" / name
    raise BuildFailed(f"{folder} holds no Zephyr image.", next_step="Build it first: west build.")


def image_in(folder: Path) -> Image:
    """The image of a build folder, as it describes itself. Raises BuildFailed where it is not tinyhil's."""
    from tinyhil.target.symbols import object_text

    elf = elf_in(folder)
    info = {name: object_text(elf, f"_ZN7tinyhil{len(name)}{name}E") for name in _INFO}
    if not info["kBoardName"]:
        raise BuildFailed(f"{elf} is not tinyhil's application.", next_step="Build zephyr_app.")
    flash_bytes, ram_bytes = sizes_of(elf)
    config = _text(folder / "zephyr" / ".config").splitlines()
    return Image(
        board_name=info["kBoardName"],
        elf=elf,
        build_id=info["kBuildId"],
        kind=info["kImageKind"],
        engine="tflm" if "CONFIG_TINYHIL_ENGINE_TFLM=y" in config else "builtin",
        kernels="cmsis_nn" if "CONFIG_TINYHIL_KERNELS_CMSIS_NN=y" in config else "reference",
        compiler=info["kCompiler"],
        flags=(),
        flash_bytes=flash_bytes,
        ram_bytes=ram_bytes,
        slot=slot_in(folder, elf) if info["kImageKind"] == "slot" else None,
        firmware="zephyr",
    )


def sizes_of(elf: Path) -> tuple[int, int]:
    """Bytes of flash, and of RAM without the arena and a model slot of its own."""
    from tinyhil.elf import figures
    from tinyhil.target.symbols import object_symbol

    sizes, others = figures(elf), [object_symbol(elf, name) for name in (_ARENA, _SLOT)]
    return sizes.flash_bytes, sizes.ram_bytes - sum(each.bytes for each in others if each is not None)


def slot_in(folder: Path, elf: Path) -> Region | None:
    """The model slot of the image in a build folder: devicetree's, or RAM of the image's own."""
    from tinyhil.target.symbols import object_symbol

    return _slot_in_devicetree(folder) or object_symbol(elf, _SLOT)


def model_in(folder: Path) -> Path | None:
    """The model that the image was built with; None where it takes one from its slot."""
    cache, config = _text(folder / "CMakeCache.txt"), _text(folder / "zephyr" / ".config")
    model = re.search(r"^TINYHIL_MODEL:\w+=(.+)$", cache, re.MULTILINE) or re.search(
        r'^CONFIG_TINYHIL_MODEL="(.+)"$', config, re.MULTILINE
    )
    source = re.search(r"^CMAKE_HOME_DIRECTORY:\w+=(.+)$", cache, re.MULTILINE)
    return None if model is None else (Path(source[1]) if source else folder) / model[1]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _slot_in_devicetree(folder: Path) -> Region | None:
    """The model slot: the node chosen as tinyhil,model-slot, or labelled tinyhil_slot.

    A partition's address is counted from the flash that its parent's parent is.
    """
    headers = (folder / "zephyr" / "include" / "generated").rglob("devicetree_generated.h")
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in headers)
    macros = dict(re.findall(r"^#define (DT_\w+)[ \t]+(\S+)", text, re.MULTILINE))
    node = macros.get("DT_CHOSEN_tinyhil_model_slot") or macros.get("DT_N_NODELABEL_tinyhil_slot")
    if node is None:
        return None
    base, size = (int(macros[f"{node}_REG_IDX_0_VAL_{what}"], 0) for what in ("ADDRESS", "SIZE"))
    parent = macros.get(f"{node}_PARENT", "")
    if f"{parent}_COMPAT_MATCHES_fixed_partitions" in macros:
        base += int(macros[f"{macros[f'{parent}_PARENT']}_REG_IDX_0_VAL_ADDRESS"], 0)
    return Region(base, size)
