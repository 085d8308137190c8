# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what the program does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from tinyhil import errors
from tinyhil.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its two head lines."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_error_has_its_own_exit_status_and_the_readme_lists_them_all():
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.TinyhilError)]
    named = {cls.__name__: cls.exit_status for cls in classes if cls.exit_status != errors.TinyhilError.exit_status}
    assert len(set(named.values())) == len(named)
    listed = {name: int(status) for status, name, _ in rows("Exit statuses") if name and name != "TinyhilError"}
    assert listed == named


def test_the_readmes_operators_are_those_of_the_firmware():
    declared = re.findall(r"kOp_(\w+);", (ROOT / "firmware" / "kernels" / "ops.h").read_text(encoding="utf-8"))
    assert [name for name, *_ in rows("Operators")] == declared


def test_every_relative_link_leads_somewhere():
    for document in [ROOT / "README.md", *ROOT.glob("*/README.md"), *ROOT.glob("firmware/*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} -> {target}"


def test_help_lists_each_command_with_the_line_that_the_command_begins_with():
    import importlib

    for name, entry in COMMANDS.items():
        command = getattr(importlib.import_module(f"tinyhil.cli.{entry.module}"), entry.attribute)
        assert command.name == name
        assert entry.help.endswith(".")
