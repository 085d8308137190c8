# SPDX-License-Identifier: Apache-2.0
"""Options that several subcommands share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tinyhil.record import ENGINES, FIRMWARES, KERNELS

JSON_KEY = "tinyhil.json"

_F = TypeVar("_F", bound=Callable[..., Any])


def _remember_json(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    ctx.meta[JSON_KEY] = value
    return value


def json_option(function: _F) -> _F:
    """`--json`, passed as `as_json`. It also makes an error come out as JSON, on standard output."""
    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, callback=_remember_json, help="Machine-readable output."
    )(function)


def firmware_option(function: _F) -> _F:
    """`--firmware`, None where it is not given."""
    return click.option(
        "--firmware", type=click.Choice(FIRMWARES), help="What the application runs on.  [default: the board's first]"
    )(function)


def attachment_options(function: _F) -> _F:
    """How a real board hangs on this computer: --port and the others, by the names of Attachment's fields."""
    from tinyhil.attachment import HELP, OPTIONS

    for name, option in reversed(OPTIONS.items()):
        kind = click.FloatRange(min=0) if name == "wait_s" else click.STRING
        metavar = {"wait_s": "SECONDS", "reset": "COMMAND", "power": "COMMAND", "flash": "TOOL"}.get(name, "PORT")
        text = f"Target serial: {HELP[name]}."
        function = click.option(f"--{option}", name, type=kind, metavar=metavar, help=text)(function)
    return function


def engine_options(function: _F) -> _F:
    """`--engine` and `--kernels`, passed as `engine` and `kernels`."""
    kernels = click.option(
        "--kernels", type=click.Choice(KERNELS), default=KERNELS[0], show_default=True, help="Whose operators."
    )
    engine = click.option(
        "--engine", type=click.Choice(ENGINES), default=ENGINES[0], show_default=True, help="What executes the model."
    )
    return engine(kernels(function))


def known(option: str, given: Sequence[str], names: Collection[str]) -> None:
    """Refuses what an option of names was given and nobody knows. Raises click.UsageError."""
    if unknown := set(given).difference(names):
        raise click.UsageError(f"{option}: {', '.join(sorted(unknown))}: there is only {', '.join(sorted(names))}.")


def names(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Callback of a repeatable option that also takes commas: `--boards a,b --boards c` is (a, b, c)."""
    return tuple(name.strip() for item in value for name in item.split(",") if name.strip())


def extra_source_option(function: _F) -> _F:
    """`--extra-source FILE.cc`, repeatable, passed as `extra_sources`."""
    return click.option(
        "--extra-source",
        "extra_sources",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE.cc",
        help="C++ of your own with custom operators, repeatable.",
    )(function)


def budgets_option(function: _F) -> _F:
    """`--budgets FILE`, passed as `budgets_path`."""
    return click.option(
        "--budgets",
        "budgets_path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="TINYHIL_BUDGETS",
        help="What cells may cost, and which are expected to fail: a YAML file.  [default: $TINYHIL_BUDGETS]",
    )(function)
