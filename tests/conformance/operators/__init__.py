# SPDX-License-Identifier: Apache-2.0
"""The generators: a module a family, a function an operator, registered by its name in the schema.

@operator("ABS")
def absolute(draw: Draw) -> Case: ...
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conformance.draw import Draw
from conformance.net import Case


@dataclass(frozen=True)
class Operator:
    """An operator's generator, and how the firmware may differ from the oracle.

    refuses: a piece of the firmware's refusal -> why it may refuse what the oracle runs.
    runs: a piece of the oracle's last words -> why the firmware may run what the oracle refuses or dies of.
    """

    name: str
    generate: Callable[[Draw], Case]
    refuses: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    without_oracle: bool = False  # its cases bring what they expect


OPERATORS: dict[str, Operator] = {}

_Generator = Callable[[Draw], Case]


def operator(
    *names: str,
    refuses: Mapping[str, str] | None = None,
    runs: Mapping[str, str] | None = None,
    without_oracle: bool = False,
) -> Callable[[_Generator], _Generator]:
    """Registers a generator, for several operators if it takes the name as second argument."""

    def register(generate: Callable[..., Case]) -> Callable[..., Case]:
        for name in names:
            bound = generate if len(names) == 1 else (lambda draw, name=name: generate(draw, name))
            assert name not in OPERATORS, f"{name} has two generators"
            OPERATORS[name] = Operator(name, bound, dict(refuses or {}), dict(runs or {}), without_oracle)
        return generate

    return register


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
