# SPDX-License-Identifier: Apache-2.0
"""make operators: writes the README's operator table.

A row has the types an operator takes and the differences that its generator declares. test_conformance.py holds each
row against the cases that it just ran: their types are the row's, and no difference occurs that the row does not name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from conformance.operators import OPERATORS, Operator
from tinyhil.model.support import supported_types

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- operators: written by `make operators` -->", "<!-- operators end -->"
WITHOUT_ORACLE = "the oracle does not have it: held against its definition"
_ORDER = ["int8", "int16", "int32", "int64", "uint8", "bool", "float32"]


def row(operator: Operator, types: Iterable[str]) -> str:
    reasons = sorted({*operator.refuses.values(), *operator.runs.values()})
    if operator.without_oracle:
        reasons.insert(0, WITHOUT_ORACLE)
    listed = [type for type in _ORDER if type in set(types)]
    return f"| {operator.name} | {', '.join(listed)} | {'; '.join(reasons)} |"


def rows_in(readme: str) -> dict[str, str]:
    """The table's rows by operator."""
    lines = readme[readme.index(BEGIN) : readme.index(END)].splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| operator")]
    return {line.split("|")[1].strip(): line for line in rows}


def main() -> int:
    rows = [row(operator, supported_types(name)) for name, operator in sorted(OPERATORS.items())]
    readme = README.read_text(encoding="utf-8")
    before, after = readme[: readme.index(BEGIN)], readme[readme.index(END) :]
    heading = ["| operator | types, constants left out | differences from the oracle |", "|---|---|---|"]
    README.write_text(before + "\n".join([BEGIN, *heading, *rows]) + "\n" + after, encoding="utf-8")
    print(f"{README}: {len(rows)} operators")
    return 0


if __name__ == "__main__":
    sys.exit(main())
