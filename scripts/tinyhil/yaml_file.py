# SPDX-License-Identifier: Apache-2.0
"""YAML files that people write: read with the line of every key, checked against a schema, refused by key and line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tinyhil.errors import TinyhilError


class YamlFile:
    """A parsed file: its values, and the line of every key."""

    def __init__(self, path: Path, schema: str, error: type[TinyhilError], described_in: str) -> None:
        """schema: schemas/NAME.schema.json. error: raised where the file is wrong. described_in: explains its keys.

        Raises `error` where it cannot be read, is no YAML or has a key twice.
        """
        import yaml

        self.path = path
        self._schema = _load(schema)
        self._error = error
        self._described_in = described_in
        self._lines: dict[tuple[str | int, ...], int] = {}
        try:
            loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
            node = loader.get_single_node()
            self._walk(node, ())
            self.values: Any = None if node is None else loader.construct_document(node)
        except (OSError, UnicodeDecodeError) as error:
            raise self._error(f"{path} cannot be read: {error}", next_step="It must be UTF-8 text.") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            raise self.error([], f"not YAML: {problem}", None if mark is None else mark.line + 1) from error

    def _walk(self, node: Any, at: tuple[str | int, ...]) -> None:
        import yaml

        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                key = (*at, str(key_node.value))
                line = key_node.start_mark.line + 1
                if key in self._lines:
                    raise self.error(key, f"given twice (first in line {self._lines[key]})", line)
                self._lines[key] = line
                self._walk(value_node, key)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                place = (*at, index)
                self._lines[place] = item.start_mark.line + 1
                self._walk(item, place)

    def error(self, at: Sequence[str | int], problem: str, line: int | None = None) -> TinyhilError:
        """An error at a key; where the key itself is not in the file, the line is that of what should hold it."""
        where = self.place(at) if line is None else f"{self.path}:{line}"
        return self._error(
            f"{where}: {_dotted(at)}: {problem}" if at else f"{where}: {problem}",
            next_step=f"Correct it in {self.path}; {self._described_in} explains every key.",
        )

    def place(self, at: Sequence[str | int]) -> str:
        """File and line of a key, or of what should hold it."""
        known = tuple(at)
        line = None
        while line is None and known:
            line = self._lines.get(known)
            known = known[:-1]
        return f"{self.path}:{line}" if line else str(self.path)

    def check(self) -> None:
        """Raises the file's error where it breaks the schema."""
        if not isinstance(self.values, dict):
            raise self.error([], "must be a mapping of keys")
        problem = self._first_problem()
        if problem is not None:
            raise problem

    def _first_problem(self) -> TinyhilError | None:
        """What is wrong with the file by the schema: misspelt keys first, since a misspelt key is missing too."""
        import jsonschema

        errors = sorted(
            jsonschema.Draft202012Validator(self._schema).iter_errors(self.values),
            key=lambda error: (error.validator != "additionalProperties", [str(step) for step in error.absolute_path]),
        )
        if not errors:
            return None
        error = errors[0]
        at = list(error.absolute_path)
        if error.validator == "additionalProperties":
            allowed = list(error.schema["properties"])
            unknown = next(key for key in error.instance if key not in allowed)
            close = difflib.get_close_matches(str(unknown), allowed, n=1, cutoff=0.6)
            hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(allowed) or 'none'}"
            return self.error([*at, str(unknown)], f"unknown key; {hint}")
        if error.validator == "required":
            missing = next(key for key in error.validator_value if key not in error.instance)
            return self.error(
                [*at, missing], "missing key" + self._described(error.schema.get("properties", {}).get(missing))
            )
        if error.validator == "type":
            return self.error(
                at, f"must be {_wanted(error.schema)}, not {error.instance!r}{self._described(error.schema)}"
            )
        if error.validator in ("anyOf", "pattern", "enum"):
            return self.error(at, f"{error.instance!r} is not {_wanted(error.schema)}{self._described(error.schema)}")
        return self.error(at, error.message + self._described(error.schema))

    def _described(self, schema: Any) -> str:
        while isinstance(schema, Mapping):
            if "description" in schema:
                return f" ({schema['description']})"
            if "$ref" not in schema:
                break
            schema = self._schema["$defs"][schema["$ref"].rpartition("/")[2]]
        return ""


def _dotted(at: Sequence[str | int]) -> str:
    text = ""
    for step in at:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _wanted(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return "a size"
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "pattern" in schema:
        return f"of the form {schema['pattern']}"
    words = {"object": "a mapping", "array": "a list", "boolean": "true or false", "string": "text"}
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return " or ".join(words.get(kind, f"a{'n' * (kind[0] in 'aeiou')} {kind}") for kind in kinds)


@cache
def _load(name: str) -> dict[str, Any]:
    path = Path(__file__).parent / "schemas" / f"{name}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema
