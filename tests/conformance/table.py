# SPDX-License-Identifier: Apache-2.0
"""make operators: writes the README's operator table from what the conformance cases come to.

The suite holds every row against what it just ran (test_conformance.py).
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from conformance.operators import OPERATORS
from conformance.runner import Conformance, Tally
from host_engine import build_host_engine

from tinyhil import assets

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- operators: written by `make operators` -->", "<!-- operators end -->"
CASES = 500
_ORDER = ["int8", "int16", "int32", "int64", "uint8", "bool", "float32"]


def row(name: str, tally: Tally) -> str:
    types = ", ".join(type for type in _ORDER if type in tally.types)
    reasons = sorted(reason for reason, count in tally.declared.items() if count)
    if tally.without_oracle:
        reasons.insert(0, "the oracle does not have it: held against its definition")
    notes = "; ".join(reasons)
    return f"| {name} | {types} | {notes} |"


def rows_in(readme: str) -> dict[str, str]:
    """The table's rows by operator."""
    lines = readme[readme.index(BEGIN) : readme.index(END)].splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| operator")]
    return {line.split("|")[1].strip(): line for line in rows}


def _run(program: Path, name: str) -> str:
    suite = Conformance(program)
    try:
        tally = suite.run(name, range(CASES))
        if tally.failures:
            raise RuntimeError(f"{tally.failures[0]}: make conformance ARGS={name}")
        return row(name, tally)
    finally:
        suite.close()


def main() -> int:
    program = build_host_engine(assets.cache_dir() / "tests")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(_run, [program] * len(OPERATORS), sorted(OPERATORS)))
    readme = README.read_text(encoding="utf-8")
    before, after = readme[: readme.index(BEGIN)], readme[readme.index(END) :]
    heading = ["| operator | on | where it differs from the oracle |", "|---|---|---|"]
    README.write_text(before + "\n".join([BEGIN, *heading, *rows]) + "\n" + after, encoding="utf-8")
    print(f"{README}: {len(rows)} operators")
    return 0


if __name__ == "__main__":
    sys.exit(main())
