# SPDX-License-Identifier: Apache-2.0
"""What a run of Robot left."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SUITES = sorted((ROOT / "robot").glob("*.robot"))


@dataclass(frozen=True)
class Ran:
    status: int
    said: str
    out: Path

    @property
    def tests(self) -> dict[str, str]:
        """PASS, FAIL or SKIP of each test, by its name."""
        tree = ElementTree.parse(self.out / "output.xml")
        return {test.attrib["name"]: test.find("status").attrib["status"] for test in tree.iter("test")}

    @property
    def messages(self) -> str:
        tree = ElementTree.parse(self.out / "output.xml")
        return "\n".join(status.text or "" for status in tree.iter("status"))

    @property
    def matrix(self) -> dict[str, Any]:
        return json.loads((self.out / "tinyhil" / "matrix.json").read_text())
