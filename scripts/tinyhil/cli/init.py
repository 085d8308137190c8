# SPDX-License-Identifier: Apache-2.0
"""`tinyhil init`: tinyhil in a repository of the user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from tinyhil.cli.options import names

_CI = {
    "github": {
        "github/tinyhil.yml": ".github/workflows/tinyhil.yml",
        "github/tinyhil-nightly.yml": ".github/workflows/tinyhil-nightly.yml",
    },
    "gitlab": {"gitlab/tinyhil.gitlab-ci.yml": "tinyhil.gitlab-ci.yml"},
    "jenkins": {"jenkins/Jenkinsfile": "Jenkinsfile"},
    "none": {},
}

_PROJECT = """\
# What tinyhil tests, and on what: read by `tinyhil matrix` and by pytest. `tinyhil boards` lists the boards.
models: [{models}]
boards: [{boards}]
budgets: budgets.yaml
"""

_BUDGETS = """\
# What a cell may cost; exceeded, it fails with the number and the limit. `tinyhil matrix` shows what it costs now.
budgets: []
#   - {model: NAME, board: "mps2_*", instructions: 10_000_000, arena: 32K}
expected_failures: []
#   - {model: NAME, board: BOARD, owner: you, reason: why it fails, until: '2030-12-31'}
"""

_TEST = '''\
"""Each model of tinyhil.yaml on each of its boards: pytest, or pytest --hil-board nrf52840dk --hil-target serial."""

from tinyhil.verdict import assert_golden


def test_the_board_computes_what_the_oracle_does(device, golden):
    assert_golden(device, golden)


def test_the_model_leaves_room_in_the_arena(device):
    memory = device.memory()
    assert memory.arena_used <= memory.arena_bytes
'''


@click.command("init")
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .tflite model of yours, repeatable.  [default: a copy of tinyhil's digits, to begin with]",
)
@click.option("--boards", multiple=True, callback=names, help="Boards, with commas.  [default: mps2_an386]")
@click.option("--ci", type=click.Choice(sorted(_CI)), default="github", show_default=True, help="Whose CI files.")
def init_command(models: tuple[Path, ...], boards: tuple[str, ...], ci: str) -> None:
    """Put tinyhil into the repository in this folder: tinyhil.yaml, a first test, budgets, CI files.

    Nothing that is there already is touched.
    """
    from tinyhil.assets import ci_dir
    from tinyhil.board import load_board
    from tinyhil.matrix import own_model
    from tinyhil.model import load_model
    from tinyhil.record import write_atomic

    chosen = boards or ("mps2_an386",)
    for board in chosen:
        load_board(board)
    for path in models:
        load_model(path)
    here = Path.cwd()
    copies: list[tuple[Path, Path]] = []
    if not models:
        digits = own_model("digits")
        sources = (digits, digits.with_name("digits.golden.npz"))
        copies = [(source, Path("models", source.name)) for source in sources]
    copies += [(ci_dir() / source, Path(target)) for source, target in _CI[ci].items()]
    listed = [_within(path, here) for path in models] or ["models/digits.tflite"]
    texts = {
        Path("tinyhil.yaml"): _PROJECT.format(models=", ".join(listed), boards=", ".join(chosen)),
        Path("budgets.yaml"): _BUDGETS,
        Path("tests", "test_tinyml.py"): _TEST,
    }
    there = [str(path) for path in (*texts, *(target for _, target in copies)) if path.exists()]
    if there:
        raise click.UsageError(f"{', '.join(there)}: there already. Nothing was written; move it away first.")
    for path, text in texts.items():
        write_atomic(here / path, text)
        click.echo(f"  {path}")
    for source, target in copies:
        (here / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, here / target)
        click.echo(f"  {target}")
    click.echo("next: pytest tests/test_tinyml.py, then tinyhil matrix")


def _within(path: Path, folder: Path) -> str:
    """The path as tinyhil.yaml in that folder names it."""
    absolute = path.absolute()
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)
