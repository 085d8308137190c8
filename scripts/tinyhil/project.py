# SPDX-License-Identifier: Apache-2.0
"""tinyhil.yaml at the top of a user's repository: what is tested, and on what. Options on a command line come first.

models: [models]
boards: [mps2_an386, nrf52840dk]
budgets: budgets.yaml
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyhil.errors import ProjectFileError
from tinyhil.yaml_file import YamlFile

NAME = "tinyhil.yaml"

_PATHS = ("models", "extra_sources", "budgets", "history")


@dataclass(frozen=True)
class Project:
    """The file's values; paths are absolute."""

    path: Path
    values: dict[str, Any]

    @property
    def boards(self) -> list[str]:
        return list(self.values.get("boards", []))

    @property
    def models(self) -> list[Path]:
        return [Path(path) for path in self.values.get("models", [])]

    @property
    def extra_sources(self) -> list[Path]:
        return [Path(path) for path in self.values.get("extra_sources", [])]

    def model_files(self) -> list[Path]:
        """The .tflite files that `models` names, or that lie in its folders."""
        return [file for path in self.models for file in (sorted(path.rglob("*.tflite")) if path.is_dir() else [path])]


def load_project(path: Path) -> Project:
    """Reads the file. Raises ProjectFileError, naming file, line and key."""
    file = YamlFile(path, "project", ProjectFileError, "the README")
    file.check()
    values = dict(file.values)
    for name in _PATHS:
        value = values.get(name)
        if isinstance(value, list):
            values[name] = [str(path.parent.absolute() / entry) for entry in value]
            for index, entry in enumerate(values[name]):
                if not Path(entry).exists():
                    raise file.error([name, index], f"no such file or folder: {entry}")
        elif value is not None:
            values[name] = str(path.parent.absolute() / value)
    return Project(path, values)


def project_here(folder: Path) -> Project | None:
    """The project whose file lies in this folder; None where there is none. Raises ProjectFileError."""
    path = folder / NAME
    return load_project(path) if path.is_file() else None
