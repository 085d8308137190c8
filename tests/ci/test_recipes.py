# SPDX-License-Identifier: Apache-2.0
"""The recipes are what their services read, and every tinyhil command in them is one that tinyhil knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from tinyhil.board import board_names
from tinyhil.cli import cli
from tinyhil.project import load_project

CI = Path(__file__).resolve().parents[2] / "ci"
RECIPES = sorted(path for path in CI.rglob("*") if path.is_file() and path.suffix != ".md")
PIPELINES = [path for path in RECIPES if path.parent.name != "matrix"]
YAML = [path for path in RECIPES if path.suffix in (".yml", ".yaml")]


def commands(path: Path) -> list[list[str]]:
    """The tinyhil commands of a recipe, as the shell would split them."""
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    text = re.sub(r"\$\{\{ *matrix\.shard *\}\}", "1/2", text)
    text = re.sub(r"\$\{\{.*?\}\}|\"?\$\{?[A-Z_]+\}?\"?", "qemu", text)
    found = []
    for line in text.splitlines():
        if line.lstrip().startswith(("#", "//")):
            continue
        for match in re.finditer(r"(?:^|[\s'/&|;])tinyhil ((?:[a-z-]+)(?: [^'|&;#]*)?)", line):
            words = shlex.split(match.group(1))
            if words[0] in cli.list_commands(click.Context(cli)):
                found.append(words)
            else:
                assert re.search(rf"name: |job|group|-t tinyhil|install .*tinyhil {words[0]}", line), line
    return found


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_a_yaml_recipe_is_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if "matrix/" not in str(path.relative_to(CI))], ids=lambda path: path.name
)
def test_every_command_of_a_recipe_is_one(path, monkeypatch):
    monkeypatch.setattr(click.Path, "convert", lambda self, value, parameter, context: Path(value))
    found = commands(path)
    assert found, "no command found"
    for words in found:
        parent = click.Context(cli)
        command = cli.get_command(parent, words[0])
        assert command is not None
        if isinstance(command, click.Group):
            inner = command.get_command(parent, words[1])
            assert inner is not None, words
            command, words = inner, words[1:]
        command.make_context(words[0], list(words[1:]), parent=parent)


@pytest.mark.parametrize("path", sorted((CI / "matrix").iterdir()), ids=lambda path: path.name)
def test_a_matrix_definition_is_one_and_its_boards_are_there(path):
    assert set(load_project(path).boards) <= set(board_names())


@pytest.mark.parametrize("path", sorted((CI / "github").iterdir()), ids=lambda path: path.name)
def test_a_workflow_has_jobs_with_steps_that_do_something(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow[True]  # "on" is a boolean to YAML
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(workflow["jobs"])


def test_the_packages_in_the_recipes_are_those_that_the_set_up_installs():
    setup = (CI.parent / "scripts" / "setup.sh").read_text()
    wanted = set(re.findall(r"need (\S+arm\S*) ", setup))
    for path in RECIPES:
        text = re.sub(r"\\\n\s*", " ", path.read_text())
        if "apt-get install" in text:
            assert wanted <= set(text.split()), path


def test_the_readme_lists_every_recipe():
    listed = set(re.findall(r"^\| `([^`]+)`", (CI / "README.md").read_text(), re.MULTILINE))
    assert listed == {str(path.relative_to(CI)) for path in RECIPES}
