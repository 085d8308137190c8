# SPDX-License-Identifier: Apache-2.0
"""tinyhil.yaml says what is tested; options come first; `tinyhil init` writes one that works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyhil.cli import cli
from tinyhil.errors import ProjectFileError
from tinyhil.project import load_project, project_here

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_paths_are_read_from_the_files_folder_on(repository):
    (repository / "models").mkdir()
    (repository / "models" / "a.tflite").write_bytes(b"")
    (repository / "tinyhil.yaml").write_text("models: [models]\nboards: [native]\nhistory: h.sqlite\n")
    project = project_here(repository)
    assert project is not None
    assert project.model_files() == [repository / "models" / "a.tflite"]
    assert project.values["history"] == str(repository / "h.sqlite")


def test_no_file_is_no_project(repository):
    assert project_here(repository) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bords: [native]", "unknown key; did you mean 'boards'?"),
        ("boards: native", "boards: must be a list"),
        ("boards: []", "boards"),
        ("models: [nothing.tflite]", "models[0]: no such file or folder"),
        ("retries: -1", "retries"),
        ("- a", "must be a mapping"),
    ],
)
def test_a_wrong_file_is_refused_by_key(repository, text, said):
    path = repository / "tinyhil.yaml"
    path.write_text(text)
    with pytest.raises(ProjectFileError) as caught:
        load_project(path)
    assert said in caught.value.message
    assert run("matrix")[0] == 65


# tinyhil init ---------------------------------------------------------------------------------------------------------
def test_init_writes_what_it_names_and_touches_nothing_that_is_there(repository):
    status, said = run("init", "--boards", "native")
    assert status == 0
    written = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    assert written == {line.strip() for line in said.splitlines() if line.startswith("  ")}
    assert ".github/workflows/tinyhil.yml" in written
    before = (repository / "tinyhil.yaml").read_bytes()
    status, said = run("init", "--boards", "mps2_an386", "--ci", "none")
    assert status == 2 and "there already. Nothing was written" in said
    assert (repository / "tinyhil.yaml").read_bytes() == before


@pytest.mark.parametrize(("ci", "file"), [("gitlab", "tinyhil.gitlab-ci.yml"), ("jenkins", "Jenkinsfile")])
def test_init_knows_other_ci_systems(repository, ci, file):
    assert run("init", "--ci", ci)[0] == 0
    assert (repository / file).is_file() and not (repository / ".github").exists()


def test_init_refuses_a_board_or_a_model_that_is_none(repository):
    (repository / "x.tflite").write_bytes(b"nothing")
    assert run("init", "--boards", "mps2")[0] == 20
    assert run("init", "--model", "x.tflite")[0] == 10
    assert not (repository / "tinyhil.yaml").exists()


@pytest.mark.needs("native")
def test_the_first_test_passes_at_once(repository):
    assert run("init", "--boards", "native", "--ci", "none")[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=repository, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.needs("native")
def test_the_matrix_takes_boards_models_and_budgets_from_the_file(repository):
    assert run("init", "--boards", "native", "--ci", "none")[0] == 0
    environment = {**os.environ, "CI": "true"}
    command = [sys.executable, "-m", "tinyhil", "matrix"]

    def matrix(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], cwd=repository, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    done = matrix()
    assert done.returncode == 0 and "1 cells" in done.stdout, done.stdout + done.stderr
    (repository / "budgets.yaml").write_text("budgets: [{model: digits, arena: 16}]")
    done = matrix()
    assert done.returncode == 64 and "is above its budget of 16" in done.stdout
    done = matrix("--boards", "nosuchboard")
    assert done.returncode == 20  # an option comes first
