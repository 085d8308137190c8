# SPDX-License-Identifier: Apache-2.0
"""The application on Zephyr: the west workspace that a user has, and images built in it."""

from tinyhil.zephyr.build import build_zephyr
from tinyhil.zephyr.workspace import Workspace, find_workspace

__all__ = ["Workspace", "build_zephyr", "find_workspace"]
