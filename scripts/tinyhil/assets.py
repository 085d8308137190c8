# SPDX-License-Identifier: Apache-2.0
"""Where tinyhil's own files are, and where it may write.

Boards and firmware are found beside the package: in the repository it was cloned into, or in the wheel's `_assets`.
Nothing is ever written there; all that tinyhil makes goes into the cache folder.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CLONE = _PACKAGE.parents[1]


def _root() -> Path:
    wheel = _PACKAGE / "_assets"
    return wheel if wheel.is_dir() else _CLONE


def firmware_dir() -> Path:
    """The folder of the firmware's sources."""
    return _root() / "firmware"


def zephyr_app_dir() -> Path:
    """The folder of the Zephyr application; `zephyr` beside it makes the whole a Zephyr module."""
    return _root() / "zephyr_app"


def platforms_dir() -> Path:
    """The folder of the boards that come with tinyhil."""
    return _root() / "platforms"


def ci_dir() -> Path:
    """The folder of recipes for CI systems."""
    return _root() / "ci"


def renode_installer() -> Path:
    """The script that installs Renode."""
    return _root() / "scripts" / "install_renode.sh"


def board_folders() -> list[Path]:
    """Folders that hold boards, in search order: those of $TINYHIL_PLATFORMS (between os.pathsep), then our own."""
    extra = os.environ.get("TINYHIL_PLATFORMS", "")
    return [*(Path(entry).expanduser() for entry in extra.split(os.pathsep) if entry), platforms_dir()]


def cache_dir() -> Path:
    """The folder for all that tinyhil makes: $TINYHIL_CACHE, or the user's cache folder. It need not exist yet."""
    chosen = os.environ.get("TINYHIL_CACHE", "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("tinyhil"))
